# The installed program is compiled as a whole when it is linked, so that short functions of another file are inlined:
# docs/PERFORMANCE.md has what it gains. What the assembler names (metrics/page.c) is compiled as ever, as the whole
# knows nothing of such names: it takes ${no_lto} among its options.
include(CheckIPOSupported)
include(Flags)

option(DTP_LTO "Optimise the whole program at link time, where the tool chain can" OFF)
if(DTP_LTO)
  check_ipo_supported(RESULT knows_lto LANGUAGES C)
  if(knows_lto)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    set(no_lto -fno-lto)
    compiler_knows(knows_seed -frandom-seed=x)
  else()
    message(STATUS "The tool chain knows no link-time optimisation: built without it")
  endif()
endif()

# gcc names what it hands to the linker by a random number, and the order of such names decides what is inlined where:
# the same sources would make another program each time. So the number is made from each file's own name.
function(name_for_linking)
  foreach(source ${ARGN})
    if(knows_seed)
      file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${source})
      set_property(SOURCE ${source} APPEND PROPERTY COMPILE_OPTIONS -frandom-seed=${path})
    endif()
  endforeach()
endfunction()
