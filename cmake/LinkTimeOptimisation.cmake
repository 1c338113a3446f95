# The installed program is compiled as a whole when it is linked, so that short functions of another file are inlined:
# docs/PERFORMANCE.md has what it gains. What the assembler names (metrics/page.c) is compiled as ever, as the whole
# knows nothing of such names: it takes ${no_lto} among its options.
include(CheckIPOSupported)

option(DTP_LTO "Optimise the whole program at link time, where the tool chain can" OFF)
if(DTP_LTO)
  check_ipo_supported(RESULT knows_lto OUTPUT why_not LANGUAGES C)
  if(knows_lto)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    set(no_lto -fno-lto)
  else()
    message(STATUS "The tool chain knows no link-time optimisation: built without it")
  endif()
endif()
