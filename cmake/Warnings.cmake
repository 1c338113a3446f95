# The warnings every source of ours is clean under, with gcc and clang. -Werror only where DTP_WERROR says so (dev, CI): a user's newer
# compiler must not fail the build over a warning nobody has seen yet.
option(DTP_WERROR "Treat warnings as errors" OFF)

add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wundef -Wcast-qual -Wcast-align -Wwrite-strings
  -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wredundant-decls -Wnested-externs
  -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum -Wvla -Wdouble-promotion -Wnull-dereference -Wdate-time
  -Wfloat-equal -Wuninitialized -Wunused-macros)
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  add_compile_options(-Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init)
endif()
if(DTP_WERROR)
  add_compile_options(-Werror)
endif()
