# What --version says of this build, beside the commit.
set(nibble_compiler ${CMAKE_CXX_COMPILER_ID})
if(nibble_compiler STREQUAL GNU)
  set(nibble_compiler GCC)
endif()
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/base/build_facts.cpp PROPERTIES COMPILE_DEFINITIONS
  "NIBBLE_VERSION=\"${PROJECT_VERSION}\";NIBBLE_COMPILER=\"${nibble_compiler} ${CMAKE_CXX_COMPILER_VERSION}\";NIBBLE_BUILD_TYPE=\"${CMAKE_BUILD_TYPE}\"")
