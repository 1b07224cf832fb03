# The library as users link it: every layer in one libnibble.a (nibble::nibble) and one libnibble.so (nibble::shared).
# The public headers need the standard library alone; what the implementation links is private.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(nibble STATIC ${NIBBLE_LAYER_OBJECTS})
add_library(nibble_shared SHARED ${NIBBLE_LAYER_OBJECTS})
set_target_properties(nibble_shared PROPERTIES OUTPUT_NAME nibble EXPORT_NAME shared
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
foreach(library nibble nibble_shared)
  set_target_properties(${library} PROPERTIES LINKER_LANGUAGE CXX)
  target_compile_features(${library} PUBLIC cxx_std_20)
  target_include_directories(${library} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${library} PRIVATE fmt::fmt Threads::Threads
    $<BUILD_INTERFACE:PkgConfig::PCRE2> $<BUILD_INTERFACE:PkgConfig::UTF8PROC>
    $<BUILD_INTERFACE:PkgConfig::CURL> $<BUILD_INTERFACE:PkgConfig::CRYPTO>
    $<INSTALL_INTERFACE:pcre2-8> $<INSTALL_INTERFACE:utf8proc> $<INSTALL_INTERFACE:curl> $<INSTALL_INTERFACE:crypto>)
  target_link_options(${library} PUBLIC $<BUILD_INTERFACE:$<TARGET_PROPERTY:nibble_flags,INTERFACE_LINK_OPTIONS>>)
endforeach()
add_library(nibble::nibble ALIAS nibble)

set(nibble_package ${CMAKE_INSTALL_LIBDIR}/cmake/nibble)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig OUTPUT_VARIABLE nibble_prefix_from_pc)
install(TARGETS nibble nibble_shared EXPORT nibbleTargets)
install(EXPORT nibbleTargets NAMESPACE nibble:: DESTINATION ${nibble_package})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/nibble DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/nibbleConfig.cmake @ONLY CONTENT [[
include(CMakeFindDependencyMacro)
find_dependency(fmt)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/nibbleTargets.cmake)
]])
write_basic_package_version_file(${PROJECT_BINARY_DIR}/nibbleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
# For who builds without CMake: pkg-config --cflags --libs nibble (--static for the archive).
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/nibble.pc @ONLY CONTENT [[
prefix=${pcfiledir}/@nibble_prefix_from_pc@
includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@
libdir=${prefix}/@CMAKE_INSTALL_LIBDIR@

Name: nibble
Description: Language models at any precision: loads, measures, quantizes and runs them
Version: @PROJECT_VERSION@
License: Apache-2.0
Cflags: -I${includedir}
Libs: -L${libdir} -lnibble
Libs.private: -lstdc++ -lm -pthread
Requires.private: fmt libpcre2-8 libutf8proc libcurl libcrypto
]])
install(FILES ${PROJECT_BINARY_DIR}/nibble.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_BINARY_DIR}/nibbleConfig.cmake ${PROJECT_BINARY_DIR}/nibbleConfigVersion.cmake
  DESTINATION ${nibble_package})
