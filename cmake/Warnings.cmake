# The warnings that every source is free of, with gcc and clang; each is used where the compiler knows it. -Werror only
# where DTP_WERROR says so (the contributors' presets): a user's newer compiler must not fail the build over a warning
# that nobody has seen yet.
include(Flags)
option(DTP_WERROR "Treat warnings as errors" OFF)

add_known_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wundef -Wcast-qual -Wcast-align -Wwrite-strings
  -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wredundant-decls -Wnested-externs
  -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum -Wvla -Wdouble-promotion -Wnull-dereference -Wdate-time
  -Wfloat-equal -Wuninitialized -Wunused-macros)
add_known_compile_options(-Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init) # gcc's
if(DTP_WERROR)
  add_compile_options(-Werror)
endif()
