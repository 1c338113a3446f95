# What a program that reads bytes from strangers is built with: the set of Debian's hardening=+all, and a little more.
# Each flag is used where the compiler knows it for the processor: control flow is protected by -fcf-protection on
# x86-64 and by -mbranch-protection on arm64.
include(Flags)
include(CheckPIESupported)
check_pie_supported()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(DTP_HARDENING "Hardened build" OFF)
if(DTP_HARDENING)
  add_known_compile_options(-fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    add_known_compile_options(-mbranch-protection=standard)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i.86)$")
    add_known_compile_options(-fcf-protection)
  endif()
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) # some compilers define it themselves, with another level
  add_known_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()

# Checks that walk lists and tables (common/check.h): for work on the program and its tests, not for what is installed.
option(DTP_CHECKS "Compile in the slow run-time checks" OFF)
if(DTP_CHECKS)
  add_compile_definitions(DTP_CHECKS)
else()
  # What is installed does not depend on the folder it was built in: neither debug information, by which the build is
  # numbered, nor __FILE__ has its path.
  add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
endif()
