# docker build -t dns-tls-proxy:test .                  the image
# docker build --target test .                          unit tests and the fuzz corpora, in the image's own world
# docker run -d --name dns-tls-proxy -p 53:53 -p 53:53/udp -p 5000:5000 -t dns-tls-proxy:test
# Flags may follow (`... dns-tls-proxy:test --log-level debug`); a file of yours goes over
# /etc/dns-tls-proxy/dns-tls-proxy.yaml.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY scripts/install-packages scripts/
RUN scripts/install-packages build && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY common common
COPY metrics metrics
COPY server server
RUN cmake --preset release && cmake --build --preset release

FROM build AS test
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends libcmocka-dev \
 && rm -rf /var/lib/apt/lists/*
COPY test test
COPY docs docs
RUN cmake --preset dev && cmake --build --preset dev && ctest --preset dev --label-regex 'unit|fuzz'

# The program, the Debian libraries it needs, the CA bundle, and nothing else: docs/decisions/0012.
FROM build AS root
COPY scripts/deploy/container/make-root scripts/deploy/container/dns-tls-proxy.yaml scripts/deploy/container/
RUN scripts/deploy/container/make-root build/release/dns-tls-proxy /root-tree

FROM scratch AS runtime
LABEL org.opencontainers.image.title="dns-tls-proxy" \
      org.opencontainers.image.description="DNS proxy: plain DNS over UDP and TCP in, DNS over TLS out" \
      org.opencontainers.image.licenses="GPL-2.0-or-later" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
COPY --from=root /root-tree/ /
USER 65532:65532
EXPOSE 53/tcp 53/udp 5000/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["/usr/sbin/dns-tls-proxy", "--config", "/etc/dns-tls-proxy/dns-tls-proxy.yaml", "--health-check"]
ENTRYPOINT ["/usr/sbin/dns-tls-proxy", "--config", "/etc/dns-tls-proxy/dns-tls-proxy.yaml"]
