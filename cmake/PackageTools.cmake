# Read by cpack. Without these tools it would only warn, and leave out what the program needs to start.
cmake_policy(SET CMP0109 NEW) # a file that cannot be executed is not the tool
foreach(tool dpkg-shlibdeps file)
  find_program(found_${tool} ${tool})
  if(NOT found_${tool})
    message(FATAL_ERROR "cpack needs ${tool} to find the package's dependencies: scripts/install-packages package")
  endif()
endforeach()
