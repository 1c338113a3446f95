# scripts/package, or `cpack -G DEB` in a build folder, makes the Debian package; `cmake --install` lays out the same
# files. The configuration file, its manual page and the completion for shells are written by the program itself when
# it is installed, so none can drift from it.
set(DTP_PACKAGE_VERSION "" CACHE STRING
  "The package's version, where it is to differ from the program's (a rebuild, a test of an upgrade)")
if(DTP_PACKAGE_VERSION)
  set(CPACK_PACKAGE_VERSION ${DTP_PACKAGE_VERSION})
else()
  set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
endif()

set(package_files ${CMAKE_SOURCE_DIR}/scripts/deploy/package)
set(package_made ${CMAKE_BINARY_DIR}/package)

install(TARGETS dns-tls-proxy RUNTIME DESTINATION sbin)
install(CODE "
  execute_process(COMMAND \"${package_files}/make-files\" ${CPACK_PACKAGE_VERSION} \"${package_made}\"
    ${CMAKE_CROSSCOMPILING_EMULATOR} \"$<TARGET_FILE:dns-tls-proxy>\" COMMAND_ERROR_IS_FATAL ANY)")
install(FILES ${package_made}/dns-tls-proxy.yaml DESTINATION /etc/dns-tls-proxy)
install(FILES ${package_made}/dns-tls-proxy.8.gz DESTINATION share/man/man8)
install(FILES ${package_made}/dns-tls-proxy.yaml.5.gz DESTINATION share/man/man5)
install(FILES ${package_made}/bash RENAME dns-tls-proxy DESTINATION share/bash-completion/completions)
install(FILES ${package_made}/zsh RENAME _dns-tls-proxy DESTINATION share/zsh/vendor-completions)
install(FILES ${package_made}/fish RENAME dns-tls-proxy.fish DESTINATION share/fish/vendor_completions.d)
install(FILES ${package_made}/changelog.gz ${package_files}/copyright DESTINATION share/doc/dns-tls-proxy)
install(FILES scripts/deploy/systemd/dns-tls-proxy.service scripts/deploy/systemd/dns-tls-proxy.socket
  DESTINATION lib/systemd/system)
install(DIRECTORY scripts/deploy/examples/ DESTINATION share/doc/dns-tls-proxy/examples)
install(FILES scripts/deploy/kubernetes/overlays/node-local/dns-tls-proxy.yaml RENAME kubernetes-node.yaml
  DESTINATION share/doc/dns-tls-proxy/examples)
install(DIRECTORY metrics/prometheus metrics/grafana scripts/deploy/consul DESTINATION share/doc/dns-tls-proxy/examples
  FILES_MATCHING PATTERN "*.yml" PATTERN "*.json" PATTERN "*_test.yml" EXCLUDE PATTERN "*test*" EXCLUDE)

set(CPACK_GENERATOR DEB)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/cmake/PackageTools.cmake)
set(CPACK_PACKAGE_NAME dns-tls-proxy)
set(CPACK_PACKAGE_VENDOR "the dns-tls-proxy maintainers")
set(CPACK_PACKAGE_CONTACT "the dns-tls-proxy maintainers <maintainers@dns-tls-proxy.example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "DNS proxy from UDP and TCP to DNS over TLS")
set(CPACK_PACKAGE_DESCRIPTION
"Listens for plain DNS over UDP and TCP, asks Cloudflare or other DNS-over-TLS
servers, and hands the answers back. Sessions to the servers are kept,
shared by many queries, and authenticated by name; answers are cached,
and the names asked most are kept resolved.
.
Metrics for Prometheus, health checks and a status page are served over
HTTP; a systemd service and socket, alert rules and a dashboard come
with it.")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
if(CMAKE_CROSSCOMPILING)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${DTP_DEBIAN_ARCHITECTURE})
endif()
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${package_files}/conffiles ${package_files}/postinst ${package_files}/prerm ${package_files}/postrm)
include(CPack)
