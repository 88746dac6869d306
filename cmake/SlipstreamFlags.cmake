# Flags for everything in this build: the library, the tool and the tests are compiled alike.

find_program(SLIPSTREAM_CCACHE ccache)
mark_as_advanced(SLIPSTREAM_CCACHE)
if(PROJECT_IS_TOP_LEVEL AND SLIPSTREAM_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SLIPSTREAM_CCACHE})
endif()

set(SLIPSTREAM_WARNINGS -Wall -Wextra -Wno-unused-parameter -Wformat=2 -Wimplicit-fallthrough)
set(SLIPSTREAM_LIBRARY_WARNINGS -Wconversion)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  list(APPEND SLIPSTREAM_WARNINGS -Wthread-safety)
  list(APPEND SLIPSTREAM_LIBRARY_WARNINGS -Wno-sign-conversion)
endif()
if(SLIPSTREAM_WERROR)
  list(APPEND SLIPSTREAM_WARNINGS -Werror)
endif()

if(SLIPSTREAM_HARDENED)
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES CXX)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_compile_options(
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS -Werror=format-security
    -fstack-protector-strong -fstack-clash-protection
    -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fcf-protection=full)
  endif()
  # Not -z nodlopen: linkers ignore it for programs, and somebody may want to load the library.
  add_link_options(-Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
endif()

if(SLIPSTREAM_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()
