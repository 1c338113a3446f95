# DTP_SANITIZE: a list for -fsanitize=, e.g. "address,undefined" or "thread". DTP_FUZZ builds the fuzz targets with
# libFuzzer (clang); without it they are built as programs that replay their corpus.
set(DTP_SANITIZE "" CACHE STRING "Sanitizers to build with")
option(DTP_FUZZ "Build the fuzz targets with libFuzzer" OFF)

if(DTP_SANITIZE)
  add_compile_options(-fsanitize=${DTP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${DTP_SANITIZE})
endif()
if(DTP_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
