# The libraries the program is built on, all packages of Debian and Ubuntu; why each: docs/decisions.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(wolfssl REQUIRED IMPORTED_TARGET wolfssl)
pkg_check_modules(crypto REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(ldns REQUIRED IMPORTED_TARGET ldns)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(fstrm REQUIRED IMPORTED_TARGET libfstrm)
pkg_check_modules(yaml REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(systemd REQUIRED IMPORTED_TARGET libsystemd)

# civetweb has no pkg-config file of use, and its CMake files demand its server program, too.
find_path(CIVETWEB_INCLUDE civetweb.h REQUIRED)
find_library(CIVETWEB_LIBRARY civetweb REQUIRED)
add_library(civetweb UNKNOWN IMPORTED)
set_target_properties(civetweb PROPERTIES
  IMPORTED_LOCATION ${CIVETWEB_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${CIVETWEB_INCLUDE})
