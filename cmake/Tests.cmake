# How a test becomes a program and a line of ctest. Nothing is registered by hand:
#
#	tests/unit/<folder>/test_<x>.c      test_<folder>_<x>, with that folder and what it may use
#	tests/unit/<folder>/<other>.c       helpers, a library for each test of that folder
#	tests/unit/<other>.c                helpers for the tests of all folders
#	tests/contract|golden/test_<x>.c    test_contract_<x>, test_golden_<x>, with all below bot/
#	tests/tools/<x>.c                   tool_<x>: a program that other tests run
#	tests/sim/*.c                       sim: the core in a made-up world, run by script/sim
#	tests/bench/<x>.c                   bench_<x>, run by script/bench, not by ctest
#	tests/bench/agent/<x>.c             bench_agent_<x>: static, runs in a box
#	tests/escape/*.c                    escape_attempts: static, tries to get out of a box
#	tests/hostile/*.c                   hostile: static, agents that mean harm
#	tests/fuzz/fuzz_<x>.c               fuzz_<x>, only with NS_FUZZ: ten seconds from its seeds
#	tests/lint/check-<x>                a lint, and its self-test
#	tests/e2e/<x>.test.mjs              an end-to-end test, run by Node
#	tests/docker/smoke                  the image, built and run as compose and systemd do
#
# Labels: unit contract golden lint e2e docker fuzz. A test that cannot run fails; none skips.
#
# script/test gives ctest two jobs a core, since most tests wait for something most of their time.
# What computes for long (lints, the image) starts early and takes what the others leave (nice).
# NS_LONG is what a first run cannot know: who is to start first.

enable_testing()
find_package(PkgConfig REQUIRED)
pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
find_program(NODE node)

set(NS_TEST_ENV
	"NIGHTSHIFT_BIN=$<TARGET_FILE:nightshift>"
	"NIGHTSHIFT_BUILD=${CMAKE_BINARY_DIR}"
	"NIGHTSHIFT_SOURCE=${CMAKE_SOURCE_DIR}"
	"ASAN_OPTIONS=detect_leaks=1:abort_on_error=1"
	"UBSAN_OPTIONS=print_stacktrace=1")

# Where files lie, for the few tests that read them. A flag would set all tests apart from another
# clone's, which ccache could serve.
file(CONFIGURE OUTPUT gen/tests/tree.gen.h CONTENT [[
#define NS_SOURCE_DIR "@CMAKE_SOURCE_DIR@"
#define NS_BINARY_DIR "@CMAKE_BINARY_DIR@"
]] @ONLY)

function(ns_test_flags name)
	if(NS_FUZZ)
		target_link_libraries(${name} PRIVATE ns_warnings)
		target_compile_options(${name} PRIVATE -O0 -g0)
	else()
		ns_flags(${name})
	endif()
endfunction()

# Beside the fuzzers the tests are compiled only, for clang's warnings; the other builds run them.
function(ns_program name)
	if(NS_FUZZ)
		add_library(${name} OBJECT ${ARGN})
	else()
		add_executable(${name} ${ARGN})
	endif()
	ns_test_flags(${name})
endfunction()

# Seconds on two cores without a cache, of the tests that take more than twenty.
set(NS_LONG lint_tidy=285 docker_smoke=275 e2e_many=242 e2e_hostile=147 e2e_kill_writes_gitea=145
	e2e_kill_writes_github=112 e2e_trouble=106 e2e_survive=96 e2e_limits=95 e2e_kill_states=88
	e2e_reconcile=82 e2e_nodes=69 test_bot_shim_limits=56 e2e_hostile_canaries=54
	e2e_bad_day=46 sim=45 test_bot_shim_hung=45 e2e_chores=44
	test_bot_runner_gateway=38 e2e_poll=37 test_bot_shim_alone=36 e2e_manners=35
	e2e_registries=34 campaign_kill=34 test_contract_box_rootfs=33 e2e_agents=27
	e2e_command=26 campaign_syscall=26 e2e_canary=24
	test_bot_shim=23 test_contract_box_attacks=23 e2e_demo=23 e2e_stop=21
	test_bot_shim_stuck=20)

function(ns_test name label timeout)
	add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
	set_tests_properties(${name} PROPERTIES
		LABELS ${label} TIMEOUT ${timeout} ENVIRONMENT "${NS_TEST_ENV}")
	if("${NS_LONG};" MATCHES "(^|;)${name}=([0-9]+);")
		set_tests_properties(${name} PROPERTIES COST ${CMAKE_MATCH_2})
	endif()
endfunction()

# Each tests/<dir>/test_*.c is a program linked with the libraries in ARGN; the other .c files help.
function(ns_cmocka_tests dir prefix label)
	file(GLOB tests CONFIGURE_DEPENDS ${dir}/test_*.c)
	file(GLOB helpers CONFIGURE_DEPENDS ${dir}/*.c)
	list(REMOVE_ITEM helpers ${tests} "")
	set(libs unit_test_helpers ${ARGN} PkgConfig::cmocka)
	if(helpers)
		add_library(${prefix}_test_helpers STATIC ${helpers})
		target_link_libraries(${prefix}_test_helpers PUBLIC ${libs})
		ns_test_flags(${prefix}_test_helpers)
		list(PREPEND libs ${prefix}_test_helpers)
	endif()
	foreach(source IN LISTS tests)
		get_filename_component(name ${source} NAME_WE)
		string(REPLACE test_ test_${prefix}_ name ${name})
		ns_program(${name} ${source})
		target_link_libraries(${name} PRIVATE ${libs})
		if(NOT NS_FUZZ)
			ns_test(${name} ${label} 300 ${name})
		endif()
	endforeach()
endfunction()

file(GLOB helpers CONFIGURE_DEPENDS tests/unit/*.c)
add_library(unit_test_helpers STATIC ${helpers})
target_link_libraries(unit_test_helpers PUBLIC base PkgConfig::cmocka)
ns_test_flags(unit_test_helpers)

foreach(folder IN LISTS NS_FOLDERS ITEMS bot)
	ns_cmocka_tests(tests/unit/${folder} ${folder} unit ${folder})
endforeach()
ns_cmocka_tests(tests/contract contract contract ${NS_FOLDERS})
ns_cmocka_tests(tests/golden golden golden ${NS_FOLDERS})

foreach(kind tools/tool bench/bench)
	get_filename_component(dir ${kind} DIRECTORY)
	get_filename_component(prefix ${kind} NAME)
	file(GLOB sources CONFIGURE_DEPENDS tests/${dir}/*.c)
	foreach(source IN LISTS sources)
		get_filename_component(name ${source} NAME_WE)
		ns_program(${prefix}_${name} ${source})
		target_link_libraries(${prefix}_${name} PRIVATE ${NS_FOLDERS})
		# What forks in a benchmark is as small as what forks in the bot: the shim.
		target_link_options(${prefix}_${name} PRIVATE -Wl,--as-needed)
	endforeach()
endforeach()

# Programs of the fault campaigns.
file(GLOB sources CONFIGURE_DEPENDS tests/fault/power.c tests/fault/chain*.c tests/fault/disk*.c)
ns_program(fault_power ${sources})
target_link_libraries(fault_power PRIVATE store)
file(GLOB sources CONFIGURE_DEPENDS tests/fault/strike*.c)
ns_program(fault_strike ${sources})
target_link_libraries(fault_strike PRIVATE PkgConfig::libseccomp)
if(NS_FUZZ)
	ns_program(fault_clock tests/fault/clock.c)
else()
	add_library(fault_clock MODULE tests/fault/clock.c)
	ns_test_flags(fault_clock)
endif()
add_custom_target(campaign DEPENDS fault_clock fault_power fault_strike tool_cron)

# The simulation: the core's sources with their fault points on, and in the place of whatever meets
# the world (loop, clock, log, HTTP, git, roles) its own, which the linker finds first.
if(NOT NS_FUZZ)
	file(GLOB core CONFIGURE_DEPENDS bot/queue*.c bot/courier*.c store/sqlite*.c)
	list(FILTER core EXCLUDE REGEX "courier_git")
	file(GLOB sources CONFIGURE_DEPENDS tests/sim/*.c)
	add_executable(sim ${sources} ${core})
	ns_test_flags(sim)
	target_compile_definitions(sim PRIVATE NS_SIM LOG_PAGES_REST=40)
	target_compile_options(sim PRIVATE $<$<CONFIG:Debug>:-O1>)
	target_link_options(sim PRIVATE -Wl,--wrap=crypto_random)
	target_link_libraries(sim PRIVATE bot)
	# Of a role that is killed not all memory is found again; sanitizers have the unit tests.
	if(NOT NS_SANITIZE)
		ns_test(sim unit 900 script/sim BIN=$<TARGET_FILE:sim> N=200)
		ns_test(sim_finds_mutants unit 900 tests/sim/mutants ${CMAKE_BINARY_DIR} 150
			"a trigger is believed twice" "an effect is repeated blindly"
			"a delivery is acknowledged before the commit")
	endif()
endif()

# For boxes: they bring no libraries along.
function(ns_static name)
	add_executable(${name} ${ARGN})
	target_link_libraries(${name} PRIVATE ns_warnings)
	target_link_options(${name} PRIVATE -static)
	set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
endfunction()

file(GLOB sources CONFIGURE_DEPENDS tests/bench/agent/*.c)
foreach(source IN LISTS sources)
	get_filename_component(name ${source} NAME_WE)
	ns_static(bench_agent_${name} ${source})
endforeach()
target_link_options(bench_agent_stamp PRIVATE -Wl,-e,bench_begin)

file(GLOB sources CONFIGURE_DEPENDS tests/escape/*.c)
ns_static(escape_attempts ${sources})
file(GLOB sources CONFIGURE_DEPENDS tests/hostile/*.c)
ns_static(hostile ${sources})

file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/tests/bench
	tests/bench/*.c tests/bench/agent/*.c)
list(TRANSFORM sources REPLACE "(.*)[.]c" "bench_\\1")
list(TRANSFORM sources REPLACE "/" "_")
add_custom_target(bench DEPENDS hostile ${sources})

if(NS_FUZZ)
	file(GLOB fuzzers CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
	foreach(source IN LISTS fuzzers)
		get_filename_component(name ${source} NAME_WE)
		add_executable(${name} ${source})
		ns_flags(${name})
		target_link_libraries(${name} PRIVATE bot)
		target_link_options(${name} PRIVATE -fsanitize=fuzzer)
		string(REPLACE fuzz_ "" what ${name})
		set(corpus ${CMAKE_BINARY_DIR}/corpus/${what})
		file(MAKE_DIRECTORY ${corpus})
		set(seeds tests/fuzz/seeds/${what})
		if(what STREQUAL "delivery")
			set(seeds tests/golden/gitea/deliveries)
		elseif(what STREQUAL "terminal")
			list(APPEND seeds tests/golden/agents)
		endif()
		set(words tests/fuzz/dictionaries/${what}.dict)
		if(EXISTS ${CMAKE_SOURCE_DIR}/${words})
			set(words -dict=${words})
		else()
			set(words "")
		endif()
		# One seed: a run says of a change what the run before said of the last one.
		ns_test(${name} fuzz 120 ${name} -seed=1 -max_total_time=10 -max_len=65536
			-timeout=5 -rss_limit_mb=1024 -artifact_prefix=${CMAKE_BINARY_DIR}/
			${words} ${corpus} ${seeds})
	endforeach()
endif()

set(NS_YIELD nice -n 19)
file(GLOB lints CONFIGURE_DEPENDS tests/lint/check-*)
foreach(lint IN LISTS lints)
	get_filename_component(name ${lint} NAME)
	string(REPLACE check- lint_ name ${name})
	ns_test(${name} lint 1200 ${NS_YIELD} ${lint})
	ns_test(${name}_finds_offence lint 60 ${lint} --self-test)
endforeach()

# End-to-end tests start whole bots with boxes, each test in worlds of its own. The kill campaigns
# have many at once: no two campaigns beside each other.
file(GLOB e2e CONFIGURE_DEPENDS tests/e2e/*.test.mjs)
foreach(file IN LISTS e2e)
	get_filename_component(name ${file} NAME_WE)
	string(REPLACE - _ name ${name})
	ns_test(e2e_${name} e2e 600 ${NODE} --test ${file})
	if(name MATCHES "^kill_")
		set_tests_properties(e2e_${name} PROPERTIES RESOURCE_LOCK campaign)
	endif()
endforeach()

# The short forms of script/campaign.
ns_test(campaign_kill e2e 900 ${NODE} tests/campaign/kill.mjs --count 20 --seed 7)
ns_test(campaign_syscall e2e 900 ${NODE} tests/campaign/syscall.mjs --count 4 --seed 7 --jobs 1)
ns_test(campaign_clock e2e 300 ${NODE} tests/campaign/clock.mjs --count 5 --seed 3)
set_tests_properties(campaign_clock campaign_kill campaign_syscall PROPERTIES
	RESOURCE_LOCK campaign)
ns_test(campaign_postgres e2e 300 ${NODE} tests/campaign/postgres.mjs --count 4 --seed 7)
ns_test(campaign_cron e2e 300 ${NODE} tests/campaign/cron.mjs --count 200 --seed 7)
if(NOT NS_FUZZ)
	ns_test(campaign_power e2e 300 fault_power --count 60 --seed 7)
endif()

if(EXISTS ${CMAKE_SOURCE_DIR}/tests/docker/smoke)
	ns_test(docker_smoke docker 1200 ${NS_YIELD} ${CMAKE_SOURCE_DIR}/tests/docker/smoke)
endif()
