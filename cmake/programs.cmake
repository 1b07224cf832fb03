# What stands on the library: the program, examples, benchmarks, and the tests that cross layers.

# A program that sees the public headers alone, as a user's would.
function(nibble_public_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE nibble)
  target_compile_options(${name} PRIVATE $<TARGET_PROPERTY:nibble_flags,INTERFACE_COMPILE_OPTIONS>)
endfunction()

if(NIBBLE_PROGRAM)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/apps/cli/*.cpp)
  nibble_public_program(nibble_program ${sources})
  target_include_directories(nibble_program PRIVATE ${PROJECT_SOURCE_DIR}/apps/cli)
  target_link_libraries(nibble_program PRIVATE CLI11::CLI11 nlohmann_json::nlohmann_json fmt::fmt PkgConfig::EDIT)
  set_target_properties(nibble_program PROPERTIES OUTPUT_NAME nibble RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  install(TARGETS nibble_program)
  if(NOT NIBBLE_SANITIZE)
    # The program writes its own manual page and completions, from the options that it has.
    set(words ${PROJECT_BINARY_DIR}/words)
    file(MAKE_DIRECTORY ${words})
    add_custom_command(TARGET nibble_program POST_BUILD VERBATIM
      COMMAND nibble_program completion bash > ${words}/nibble
      COMMAND nibble_program completion zsh > ${words}/_nibble
      COMMAND nibble_program completion fish > ${words}/nibble.fish
      COMMAND nibble_program completion man > ${words}/nibble.1)
    install(FILES ${words}/nibble DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES ${words}/_nibble DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES ${words}/nibble.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
    install(FILES ${words}/nibble.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  endif()
endif()

if(NIBBLE_SANITIZE)  # what follows is no test that runs under the sanitizers
  include(cmake/tests.cmake)
  return()
endif()

if(NOT PROJECT_IS_TOP_LEVEL)  # a part of another project: the library, and the program where it is asked for
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
