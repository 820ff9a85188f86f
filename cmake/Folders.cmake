# The floors: which folder is built from what, and what it may link. tests/lint/check-floors reads
# includes, tests/lint/check-link links each library whole against exactly the lists below.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(lib libcurl jansson libcrypto libssl yaml-0.1 libgit2 sqlite3 libpq libzstd libmicrohttpd
		libseccomp expat vterm)
	pkg_check_modules(${lib} REQUIRED IMPORTED_TARGET ${lib})
endforeach()
pkg_check_modules(cmark REQUIRED IMPORTED_TARGET libcmark-gfm)
find_library(CMARK_EXTENSIONS cmark-gfm-extensions REQUIRED) # Debian has no .pc for them

set(NS_FOLDERS base config store forge repo sandbox handlers web)

set(base_LIBS PkgConfig::libcurl PkgConfig::jansson PkgConfig::libssl PkgConfig::libcrypto
	Threads::Threads)
set(config_LIBS base PkgConfig::yaml-0.1)
set(store_LIBS base PkgConfig::sqlite3 PkgConfig::libpq PkgConfig::libzstd)
set(forge_LIBS base ${CMARK_EXTENSIONS} PkgConfig::cmark)
set(repo_LIBS base PkgConfig::libgit2)
set(sandbox_LIBS base PkgConfig::libseccomp PkgConfig::vterm)
set(handlers_LIBS base forge store PkgConfig::expat)
set(web_LIBS base config store PkgConfig::libmicrohttpd)

# A folder's sources are what lies in it; a folder without sources is an empty library.
function(ns_folder name)
	set(patterns ${name}/*.c)
	foreach(sub IN LISTS ARGN)
		list(APPEND patterns ${name}/${sub}/*.c)
	endforeach()
	file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${patterns})
	list(REMOVE_ITEM sources ${name}/main.c ${${name}_APART})
	if(NOT sources)
		set(sources cmake/empty.c)
	endif()
	add_library(${name} STATIC ${sources})
	target_link_libraries(${name} PUBLIC ${${name}_LIBS})
	ns_flags(${name})
endfunction()

foreach(folder base config store forge repo handlers web)
	ns_folder(${folder})
endforeach()
ns_folder(sandbox native oci)

# For tests/lint/check-link, one line a folder: its library, then all that it may be linked with.
function(ns_link_line folder out)
	set(line "")
	foreach(lib IN LISTS ${folder}_LIBS)
		if(lib IN_LIST NS_FOLDERS)
			ns_link_line(${lib} more)
			list(APPEND line $<TARGET_FILE:${lib}> ${more})
		elseif(lib MATCHES "^PkgConfig::(.*)")
			list(APPEND line ${${CMAKE_MATCH_1}_LINK_LIBRARIES})
		elseif(NOT lib STREQUAL "Threads::Threads")
			list(APPEND line ${lib})
		endif()
	endforeach()
	set(${out} ${line} PARENT_SCOPE)
endfunction()

set(lines "")
foreach(folder IN LISTS NS_FOLDERS)
	ns_link_line(${folder} libs)
	list(JOIN libs " " libs)
	string(APPEND lines "$<TARGET_FILE:${folder}> ${libs}\n")
endforeach()
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/gen/link-lines.txt CONTENT "${lines}")

file(GLOB sql CONFIGURE_DEPENDS store/sql/*.sql)
ns_embed_files(store store/sql.gen.h sql ${sql})
file(GLOB sql_postgres CONFIGURE_DEPENDS store/sql/postgres/*.sql)
ns_embed_files(store store/sql_postgres.gen.h sql_postgres ${sql_postgres})
file(GLOB static CONFIGURE_DEPENDS web/static/*)
ns_embed_files(web web/static.gen.h static ${static})

# PID 1 of the box: without any library, the C library's included (init/libc.c), so without what a
# compiler expects of one: a canary for the stack, and functions for what it takes for them.
file(GLOB init_sources CONFIGURE_DEPENDS sandbox/init/*.c)
if(NOT init_sources)
	set(init_sources cmake/empty-main.c)
endif()
add_executable(nightshift-init ${init_sources})
target_link_libraries(nightshift-init PRIVATE ns_warnings)
target_compile_options(nightshift-init PRIVATE -Os -g0 -ffunction-sections -fdata-sections
	-fno-builtin -fno-stack-protector
	$<$<C_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns>)
target_link_options(nightshift-init PRIVATE -static -nostdlib -s
	-Wl,--gc-sections,-z,noexecstack,-e,init_start)
set_target_properties(nightshift-init PROPERTIES POSITION_INDEPENDENT_CODE OFF)
ns_embed_program(sandbox init_image nightshift-init)

# The shim: each attempt starts one, and to link forty shared libraries into the whole program takes
# a processor ten milliseconds each time. So it is a program of its own, with the few that it needs,
# and carried inside the binary like PID 1. What it speaks is the bot's too.
file(GLOB shim_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} bot/shim*.c)
list(REMOVE_ITEM shim_sources bot/shim_main.c)
set(wire_sources bot/wire.c bot/wire_rows.c)
add_library(wire STATIC ${wire_sources})
target_link_libraries(wire PUBLIC forge store)
ns_flags(wire)
add_library(shim STATIC ${shim_sources})
target_link_libraries(shim PUBLIC wire sandbox)
ns_flags(shim)
add_executable(nightshift-shim bot/shim_main.c)
ns_flags(nightshift-shim)
target_link_libraries(nightshift-shim PRIVATE shim)
target_link_options(nightshift-shim PRIVATE
	-Wl,--as-needed,--gc-sections $<$<CONFIG:Release>:-s>)

# The program: bot/main.c, and everything else of bot/ as a library so that tests can reach it.
set(bot_LIBS ${NS_FOLDERS} wire shim)
set(bot_APART ${shim_sources} bot/shim_main.c ${wire_sources})
ns_folder(bot)
ns_embed_program(bot shim_image nightshift-shim)
set(main_source cmake/empty-main.c)
if(EXISTS ${CMAKE_SOURCE_DIR}/bot/main.c)
	set(main_source bot/main.c)
endif()
add_executable(nightshift ${main_source})
target_link_libraries(nightshift PRIVATE bot)
target_compile_definitions(bot PUBLIC NS_VERSION="${PROJECT_VERSION}")
ns_flags(nightshift)
