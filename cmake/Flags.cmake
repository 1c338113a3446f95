# Compiler and linker flags are used where the tool chain knows them, so that another compiler or processor does not
# stop the build.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

# Sets `result` to whether the compiler takes all of these flags. -Werror: clang only warns of a warning option that it
# does not know.
function(compiler_knows result)
  set(CMAKE_REQUIRED_FLAGS -Werror)
  set(CMAKE_REQUIRED_QUIET ON)
  list(JOIN ARGN " " flags)
  string(MAKE_C_IDENTIFIER "COMPILER_KNOWS_${flags}" variable)
  check_c_compiler_flag("${flags}" ${variable})
  set(${result} ${${variable}} PARENT_SCOPE)
endfunction()

# Those of the flags that the compiler knows. All at once first, which saves most checks.
macro(add_known_compile_options)
  set(known_flags ${ARGN})
  compiler_knows(knows_all ${known_flags})
  if(NOT knows_all)
    foreach(flag ${ARGN})
      compiler_knows(knows_one ${flag})
      if(NOT knows_one)
        list(REMOVE_ITEM known_flags ${flag})
        message(STATUS "The compiler does not know ${flag}: built without it")
      endif()
    endforeach()
  endif()
  add_compile_options(${known_flags})
endmacro()

# The same for the linker.
macro(add_known_link_options)
  foreach(flag ${ARGN})
    string(MAKE_C_IDENTIFIER "LINKER_KNOWS_${flag}" variable)
    set(CMAKE_REQUIRED_QUIET ON)
    check_linker_flag(C ${flag} ${variable})
    unset(CMAKE_REQUIRED_QUIET)
    if(${variable})
      add_link_options(${flag})
    else()
      message(STATUS "The linker does not know ${flag}: built without it")
    endif()
  endforeach()
endmacro()
