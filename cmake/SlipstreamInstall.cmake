# `cmake --install`, and what find_package(slipstream) reads afterwards.
include(CMakePackageConfigHelpers)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/slipstream)

install(TARGETS slipstream EXPORT slipstreamTargets)
if(TARGET slipstream-cli)
  install(TARGETS slipstream-cli)
  install(DIRECTORY docs/examples/flights/data/ DESTINATION ${CMAKE_INSTALL_DATADIR}/slipstream/flights)
endif()
install(DIRECTORY include/slipstream TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE TYPE DOC)
install(EXPORT slipstreamTargets NAMESPACE slipstream:: DESTINATION ${config_dir})
get_target_property(type slipstream TYPE)
string(COMPARE EQUAL ${type} STATIC_LIBRARY SLIPSTREAM_STATIC)
configure_package_config_file(cmake/slipstreamConfig.cmake.in slipstreamConfig.cmake INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(slipstreamConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/slipstreamConfig.cmake ${PROJECT_BINARY_DIR}/slipstreamConfigVersion.cmake
  DESTINATION ${config_dir})
