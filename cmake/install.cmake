# The library as users link it: libnibble.a, libnibble.so and find_package(nibble).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
