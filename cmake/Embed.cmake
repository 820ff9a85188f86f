# Files that travel inside the program.
#
# ns_embed_files(<target> <header> <prefix> <file>...) generates build/gen/<header>, to be included
# by exactly one .c file of <target>. It holds, sorted by name:
#
#	struct <prefix>_file { const char *name; const char *text; size_t size; };
#	static const struct <prefix>_file <prefix>_files[];	text ends in a NUL that size omits
#	enum { <prefix>_files_count = N };
#
#	store/sql.gen.h   prefix sql     store/sql/*.sql   "001_inbox.sql", ...
#	web/static.gen.h  prefix static  web/static/*      "style.css", ...
#
# ns_embed_program(<target> <symbol> <program>) puts a program's bytes between the symbols
# <symbol>_start and <symbol>_end (read-only data) of <target>; declare them in C as
#
#	extern const unsigned char <symbol>_start[], <symbol>_end[];

function(ns_embed_files target header prefix)
	set(out ${CMAKE_BINARY_DIR}/gen/${header})
	set(files ${ARGN})
	list(SORT files)
	string(REPLACE ";" "|" packed "${files}")
	add_custom_command(OUTPUT ${out}
		COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DPREFIX=${prefix} "-DFILES=${packed}"
			-P ${CMAKE_SOURCE_DIR}/cmake/embed-files.cmake
		DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed-files.cmake
		COMMENT "Embedding ${header}" VERBATIM)
	target_sources(${target} PRIVATE ${out})
endfunction()

function(ns_embed_program target symbol program)
	set(out ${CMAKE_BINARY_DIR}/gen/${symbol}.S)
	file(GENERATE OUTPUT ${out} CONTENT
".section .rodata
.balign 16
.global ${symbol}_start
.global ${symbol}_end
${symbol}_start:
.incbin \"$<TARGET_FILE:${program}>\"
${symbol}_end:
.byte 0
.section .note.GNU-stack,\"\",%progbits
")
	target_sources(${target} PRIVATE ${out})
	set_source_files_properties(${out} PROPERTIES OBJECT_DEPENDS ${CMAKE_BINARY_DIR}/${program})
	add_dependencies(${target} ${program})
endfunction()
