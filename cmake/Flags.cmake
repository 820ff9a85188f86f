# What the compilers are told. `ns_flags(target)` gives a target of ours all of it; the program that
# runs inside the box (sandbox/init) takes only the warnings.

option(NS_WERROR "warnings are errors" OFF)
option(NS_COVERAGE "count lines and branches" OFF)
option(NS_TESTS "build the tests" ON)
option(NS_FUZZ "build the fuzzers (clang)" OFF)
set(NS_SANITIZE "" CACHE STRING "sanitizers, for instance address,undefined")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # cleanup attribute, __typeof__
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Asserts stay on: no build type defines NDEBUG.
set(CMAKE_C_FLAGS_DEBUG "-Og -g3")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
if(NOT CMAKE_BUILD_TYPE)
	set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "build type" FORCE)
endif()

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# No object names the directory it was built in: builds are the same everywhere, and what one clone
# has compiled serves the next.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
	set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
		CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

add_library(ns_warnings INTERFACE)
target_compile_options(ns_warnings INTERFACE $<$<COMPILE_LANGUAGE:C>:
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
	-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wcast-align
	-Wwrite-strings -Wundef -Wformat=2 -Wvla -Wnull-dereference -Wimplicit-fallthrough
	-Wswitch-enum -fno-common>)
target_compile_options(ns_warnings INTERFACE $<$<COMPILE_LANG_AND_ID:C,GNU>:
	-Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wformat-signedness
	-Wjump-misses-init>)
target_compile_options(ns_warnings INTERFACE $<$<COMPILE_LANG_AND_ID:C,Clang>:
	-Wmissing-variable-declarations -Wcomma -Wextra-semi-stmt -Wconditional-uninitialized
	# `assert(!"why")`, and libseccomp's SCMP_A* macros
	-Wno-string-conversion -Wno-missing-field-initializers>)
if(NS_WERROR)
	target_compile_options(ns_warnings INTERFACE $<$<COMPILE_LANGUAGE:C>:-Werror>)
endif()
# banned.h is read before the first line of every file, and it reads libc's headers: a file's own
# `#define _GNU_SOURCE` would come too late, so it is given here (empty, as the files write it).
target_compile_definitions(ns_warnings INTERFACE _GNU_SOURCE=)
target_compile_options(ns_warnings INTERFACE
	$<$<COMPILE_LANGUAGE:C>:SHELL:-include ${CMAKE_SOURCE_DIR}/base/banned.h>)
target_include_directories(ns_warnings INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/gen)

add_library(ns_flags INTERFACE)
target_link_libraries(ns_flags INTERFACE ns_warnings)
target_compile_options(ns_flags INTERFACE
	$<$<COMPILE_LANGUAGE:C>:-fstack-protector-strong -fstack-clash-protection>)
target_link_options(ns_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
	set(NS_LTO ON)
endif()
if(NOT NS_SANITIZE) # in debug builds too: it brings the warnings about ignored results
	target_compile_definitions(ns_flags INTERFACE _FORTIFY_SOURCE=2)
else()
	target_compile_options(ns_flags INTERFACE
		-fsanitize=${NS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
	target_link_options(ns_flags INTERFACE -fsanitize=${NS_SANITIZE})
endif()
if(NS_FUZZ)
	target_compile_options(ns_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(NS_COVERAGE)
	target_compile_options(ns_flags INTERFACE --coverage)
	target_link_options(ns_flags INTERFACE --coverage)
endif()

function(ns_flags target)
	target_link_libraries(${target} PRIVATE ns_flags)
	if(NS_LTO)
		set_target_properties(${target} PROPERTIES INTERPROCEDURAL_OPTIMIZATION ON)
	endif()
endfunction()
