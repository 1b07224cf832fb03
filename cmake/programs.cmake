# What stands on the library: the program, examples, benchmarks, and the tests that cross layers.

# A program that sees the public headers alone, as a user's would.
function(nibble_public_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE nibble)
  target_compile_options(${name} PRIVATE $<TARGET_PROPERTY:nibble_flags,INTERFACE_COMPILE_OPTIONS>)
endfunction()

file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/apps/cli/*.cpp)
if(sources)
  nibble_public_program(nibble_program ${sources})
  target_include_directories(nibble_program PRIVATE ${PROJECT_SOURCE_DIR}/apps/cli)
  target_link_libraries(nibble_program PRIVATE CLI11::CLI11 nlohmann_json::nlohmann_json fmt::fmt)
  target_compile_definitions(nibble_program PRIVATE NIBBLE_VERSION="${PROJECT_VERSION}")
  set_target_properties(nibble_program PROPERTIES OUTPUT_NAME nibble RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  install(TARGETS nibble_program)
endif()

if(NIBBLE_SANITIZE)  # what follows is no test that runs under the sanitizers
  include(cmake/tests.cmake)
  return()
endif()

# Each example takes a model's folder as its first argument; running it to the end is its test.
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.cpp)
foreach(source ${sources})
  cmake_path(GET source STEM stem)
  nibble_public_program(example_${stem} ${source})
  set_target_properties(example_${stem} PROPERTIES OUTPUT_NAME ${stem} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
  if(NIBBLE_DEV)
    add_test(NAME example.${stem} COMMAND example_${stem} ${PROJECT_SOURCE_DIR}/models/gutenberg-16m
             WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
  endif()
endforeach()

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.cpp)
foreach(source ${sources})
  cmake_path(GET source STEM stem)
  add_executable(bench_${stem} ${source})
  target_link_libraries(bench_${stem} PRIVATE nibble_layers)
  set_target_properties(bench_${stem} PROPERTIES OUTPUT_NAME ${stem} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endforeach()

if(NIBBLE_DEV)
  include(cmake/tests.cmake)
endif()
