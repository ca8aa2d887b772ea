# SPDX-License-Identifier: Apache-2.0
# Compiler settings, found libraries, and the few helpers that keep each folder's list at some 15 lines.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(THREADS_PREFER_PTHREAD_FLAG ON)

find_program(BERTH_CCACHE ccache)
if(BERTH_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${BERTH_CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${BERTH_CCACHE})
endif()

# Designated initialisers leave what has a default out on purpose.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers -Werror)
add_compile_options(-fstack-protector-strong)
# g++ 12 sees overlaps in std::string::operator+ that are not there (GCC bug 105651).
add_compile_options(-Wno-restrict)
add_link_options(-Wl,-z,relro,-z,now)

set(BERTH_SANITIZE "" CACHE STRING "address (with undefined) or thread")
if(BERTH_SANITIZE STREQUAL "address")
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    # Instrumented code of the standard library looks uninitialised to g++ 12 (GCC bug 105562).
    add_compile_options(-Wno-maybe-uninitialized)
    add_link_options(-fsanitize=address,undefined)
elseif(BERTH_SANITIZE STREQUAL "thread")
    add_compile_options(-fsanitize=thread -Wno-tsan)   # Asio has fences, which TSan does not see
    add_link_options(-fsanitize=thread)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tl-expected REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(pugixml REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(cppzmq REQUIRED)
find_package(GTest REQUIRED)
# Plain find_package(msgpack) finds the C library, so the C++ one is named by its folder.
find_package(msgpack CONFIG REQUIRED
             PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/cmake/msgpackc-cxx NO_DEFAULT_PATH)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
# Its -D_FILE_OFFSET_BITS=64 says nothing on a machine of 64 bits, and would not fit the precompiled headers.
set_target_properties(PkgConfig::HIREDIS PROPERTIES INTERFACE_COMPILE_OPTIONS "")
pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(TOMLPP REQUIRED IMPORTED_TARGET tomlplusplus)
include(GoogleTest)

# Nearly every file reads the standard library and the catalog: they are parsed once per build, which
# halves the time of a build. tests/checks/headers_alone.sh builds each header without this.
# -DBERTH_PRECOMPILE=OFF turns it off.
option(BERTH_PRECOMPILE "parse the common headers once" ON)
function(berth_common_headers name)
    if(BERTH_PRECOMPILE)
        target_precompile_headers(${name} REUSE_FROM berth_common_headers)
    endif()
endfunction()

# berth_core(NAME sources…): decisions only. Links base and events, nothing else.
function(berth_core name)
    add_library(${name} STATIC ${ARGN})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC berth_base berth_events)
    berth_common_headers(${name})
endfunction()

# berth_library(NAME sources…): an adapter or shell; the caller adds what it links.
function(berth_library name)
    add_library(${name} STATIC ${ARGN})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC berth_base)
    berth_common_headers(${name})
endfunction()

# berth_test(NAME LABEL label LINK libs… SOURCES files…): one GoogleTest program.
function(berth_test name)
    cmake_parse_arguments(T "" "LABEL" "LINK;SOURCES" ${ARGN})
    add_executable(${name} ${T_SOURCES})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE ${T_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
    berth_common_headers(${name})
    if(NOT TARGET ${T_LABEL}_tests)
        add_custom_target(${T_LABEL}_tests)
    endif()
    add_dependencies(${T_LABEL}_tests ${name})
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS "${T_LABEL}" TIMEOUT 300)
endfunction()
