# shellcheck shell=bash
# The stages of ./dev test, sourced by it. A stage is a function stage_NAME that says which targets it
# needs of which build and puts its jobs into the queue (queue.sh); then the queue is run, with the
# jobs of all stages in it. The table at the end has a row for each stage, and for each build that
# they needed. "Work" is the time of processors that its jobs took.
#
# How many seeds and inputs are tried is a matter of time, so that a run does not become longer as
# there is more to try: the stage sim takes REDOUBT_SIM_SECONDS, the stage fuzz
# REDOUBT_FUZZ_SECONDS, both of one core. Within that, a small fixed set always runs.

source tests/queue.sh

sim_seconds=${REDOUBT_SIM_SECONDS:-110}
fuzz_seconds=${REDOUBT_FUZZ_SECONDS:-44}

all_stages=(format source tidy build unit asan-build asan transcripts differential rdb fuzz sim report server)
# Run only when they are named.
more_stages=(alone clients)

describe_stage() {
  case "$1" in
    format) echo "clang-format would change nothing" ;;
    source) echo "the rules about the source itself: includes, calls past the door, symbols, sizes" ;;
    tidy) echo "clang-tidy over the product code" ;;
    build) echo "everything, with gcc" ;;
    unit) echo "unit and property tests" ;;
    asan-build) echo "everything, with clang, AddressSanitizer, UndefinedBehaviorSanitizer" ;;
    asan) echo "unit and property tests in that build" ;;
    transcripts) echo "commands and their exact replies: both builds, and the reference server" ;;
    differential) echo "random commands to the reference and to our server or the model" ;;
    rdb) echo "RDB files of other servers, and exchanged with the reference" ;;
    fuzz) echo "the fuzz targets over the corpus and more, for REDOUBT_FUZZ_SECONDS ($fuzz_seconds)" ;;
    sim) echo "fixed seeds with gcc and clang, digests compared; more for REDOUBT_SIM_SECONDS ($sim_seconds)" ;;
    report) echo "reports of runs in a browser, narrow and wide" ;;
    server) echo "end-to-end tests of build/redoubt-server" ;;
    clients) echo "BullMQ, Sidekiq, Celery, redlock, rate limiters; installs what they need, skips what it cannot (only when it is named)" ;;
    alone) echo "each file compiles by itself (only when it is named)" ;;
  esac
}

# Targets that the stages need, by the build, which is the name of its job and of its stage.
declare -A build_targets=()

# needs BUILD TARGET ...
needs() {
  build_targets[$1]+=" ${*:2}"
}

# The jobs that build what was asked for; first in the queue, gcc's before clang's.
queue_builds() {
  local main asan
  read -ra main <<< "${build_targets[build]-}"
  read -ra asan <<< "${build_targets[asan-build]-}"
  ((${#main[@]} == 0)) ||
    job build --cost 10000 build build_main -j "$cores" "${main[@]}"
  ((${#asan[@]} == 0)) ||
    job asan-build --after build --cost 9999 asan-build build_asan -j "$cores" "${asan[@]}"
}

stage_format() {
  job format format format --check
}

stage_source() {
  needs build source_test  # which links them all
  job source --after build source build/tests/source_test
}

stage_tidy() {
  job tidy --cost 300 tidy tests/tidy.sh
}

# It configures build/alone, as tidy does.
stage_alone() {
  job alone --after tidy --cost 300 alone tests/alone.sh
}

stage_build() {
  needs build all
}

# unit_jobs STAGE BUILD DIRECTORY: each test program in two halves, which balances the two cores.
unit_jobs() {
  local stage=$1 build=$2 directory=$3 areas area half cost
  mapfile -t areas < <(sed -n 's/^ *redoubt_test(\([a-z]*\).*/\1/p' CMakeLists.txt)
  for area in "${areas[@]}"; do
    [[ $area != source ]] || continue
    case "$area" in sim) cost=80 ;; commands) cost=40 ;; *) cost=20 ;; esac
    for half in 0 1; do
      job "$stage" --after "$build" --cost "$cost" "$stage.$area.$half" \
        env GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX="$half" "$directory/tests/${area}_test" \
        --gtest_brief=1
    done
  done
}

stage_unit() {
  needs build all
  unit_jobs unit build build
}

stage_asan-build() {
  needs asan-build all
}

stage_asan() {
  needs asan-build all
  unit_jobs asan asan-build build/asan
}

# transcripts BUILDS NAME SERVER [OPTION]: what is newer than the reference is left out with --skip-newer.
transcripts() {
  local builds=$1 name=$2 server=$3
  shift 3
  job transcripts --after "$builds" --cost 10 "transcripts.$name" \
    tests/with_servers.py "$server" -- \
    build/differential transcripts --server '{1}' "$@" tests/transcripts/*.txt
}

stage_transcripts() {
  needs build redoubt-server differential
  needs asan-build redoubt-server
  transcripts build gcc build/redoubt-server
  transcripts "build asan-build" asan build/asan/redoubt-server
  transcripts build reference build/reference/redis-server --skip-newer
}

# differential BUILDS SEEDS SUBJECT [SERVER ...]: the reference is {1}, our server {2}.
differential() {
  local builds=$1 seeds=$2 subject=$3
  shift 3
  job differential --after "$builds" --cost 40 "differential.$seeds.${subject//[^a-z0-9]/}" \
    tests/with_servers.py build/reference/redis-server "$@" -- \
    build/differential --reference '{1}' --subject "$subject" --seeds "$seeds"
}

stage_differential() {
  needs build redoubt-server differential
  needs asan-build redoubt-server
  differential build 1..15 '{2}' build/redoubt-server
  differential build 16..30 '{2}' build/redoubt-server
  differential "build asan-build" 31..35 '{2}' build/asan/redoubt-server
  differential build 1..15 model
  job differential --after build --cost 5 differential.libraries \
    tests/with_servers.py build/reference/redis-server build/redoubt-server -- \
    python3 tests/script/libraries_differential.py '{1}' '{2}' --values tests/script/library_values.txt
}

stage_rdb() {
  needs build rdbtool
  job rdb --after build --cost 20 rdb.data python3 tests/persist/rdb_data.py build/rdbtool
  job rdb --after build --cost 30 --waits rdb.exchange \
    python3 tests/persist/rdb_exchange.py build/rdbtool build/reference/redis-server 3
}

# fuzz_for TARGET SECONDS: with the command that tries again what failed.
fuzz_for() {
  local target=$1 seconds=$2 status=0
  fuzz_target "$target" "$seconds" || status=$?
  ((status == 0)) ||
    sed -n "s|^.*Test unit written to \(.*\)|again: build/asan/fuzz_$target \1|p" "$logs/fuzz.$target.log"
  return "$status"
}

stage_fuzz() {
  local target share
  needs asan-build fuzz_resp fuzz_commands fuzz_listpack fuzz_rdb fuzz_aof \
    fuzz_replication fuzz_lua_libraries
  job fuzz --cost 60 fuzz.corpus fuzz/make_corpus.py build/corpus
  for target in commands replication resp listpack rdb aof lua_libraries; do
    share=$((fuzz_seconds / 8))
    [[ $target != commands ]] || share=$((fuzz_seconds * 2 / 8))
    job fuzz --after "asan-build fuzz.corpus" --cost "$share" "fuzz.$target" \
      fuzz_for "$target" "$((share > 0 ? share : 1))"
  done
}

# sim_in SURROUNDING ARGUMENTS: redoubt-sim where locale, time zone, environment, address layout or
# compiler are different.
sim_in() {
  local surrounding=$1
  shift
  case "$surrounding" in
    plain) build/redoubt-sim "$@" ;;
    foreign)
      LC_ALL=tr_TR.UTF-8 TZ=Asia/Kathmandu PADDING=$(printf '%08192d' 0) build/redoubt-sim "$@" ;;
    unrandomised) env -i setarch -R build/redoubt-sim "$@" ;;
    clang) build/asan/redoubt-sim "$@" ;;
  esac
}

# sim_run "ARGUMENTS": one run under four surroundings; the digests have to be equal.
sim_run() {
  local first="" output line digest failed=0 passed=0 surrounding arguments program
  read -ra arguments <<< "$1"
  for surrounding in plain foreign unrandomised clang; do
    program="./dev sim"
    [[ $surrounding != clang ]] || program=build/asan/redoubt-sim
    if ! output=$(sim_in "$surrounding" run "${arguments[@]}"); then
      echo "$output"
      echo "failed with '$surrounding', commit $(git rev-parse HEAD); again: $program run $1"
      failed=$((failed + 1))
      continue
    fi
    line=$(tail -n 1 <<< "$output")
    digest=$(grep -oE 'digest [0-9a-f]{32} events [0-9]+' <<< "$line" || echo "no digest: $line")
    first=${first:-$digest}
    if [[ $digest == "$first" ]]; then
      passed=$((passed + 1))
    else
      echo "'$digest' with '$surrounding', but '$first' before; again: $program run $1"
      failed=$((failed + 1))
    fi
  done
  echo "tried 1 seeds"
  echo "$passed passed, $failed failed"
  ((failed == 0))
}

# The arguments of the fixed runs, one a line: some seeds, those of fixed bugs (tests/seeds: a file a bug,
# in it comments and lines such as "--scenario single --seed 7"), and the commit's own number, so
# that every commit tries something new.
sim_runs() {
  local seed
  for seed in {1..6}; do
    echo "--scenario single --seed $seed"
  done
  local file
  for file in sim/scenarios/*.toml; do
    echo "--scenario $(basename "$file" .toml) --seed 101"
  done
  cat tests/seeds/*.txt 2>/dev/null | grep -v '^ *\(#\|$\)' || true
  printf -- '--scenario single --seed %d\n' "0x$(git rev-parse --short=8 HEAD 2>/dev/null || echo 1)"
}

# replay_seed FILE: a failure that was kept. One of a planted bug is found again, by the same checker
# in the same run; one of a bug that was mended is not.
replay_seed() {
  local file=$1 output status=0 fails
  output=$(build/redoubt-sim replay "$file") || status=$?
  fails=$(sed -n 's/^fails = "\(.*\)"$/\1/p' "$file")
  if grep -q '^plant = ' "$file"; then
    [[ $status == 1 && $output == *"violation of $fails "* &&
       $output != *"not the run that was recorded"* ]] && { echo "1 passed, 0 failed"; return; }
  elif [[ $status == 0 ]]; then
    echo "1 passed, 0 failed"
    return
  fi
  echo "$output"
  echo "status $status; again: ./dev sim replay $file"
  echo "0 passed, 1 failed"
  return 1
}

# compare_compilers: event by event, gcc's run is clang's; and where a planted bug leaves the order
# of two draws to the compiler, the first event that differs is named.
compare_compilers() {
  local passed=0 failed=0 output
  local plain=(build/redoubt-sim compare --scenario single --seed 7 --against build/asan/redoubt-sim)
  if "${plain[@]}"; then
    passed=$((passed + 1))
  else
    echo "again: ${plain[*]}"
    failed=$((failed + 1))
  fi
  output=$(build/redoubt-sim compare --scenario canary --seed 7 --bug unordered_argument \
             --against build/asan/redoubt-sim) || true
  if [[ $output == *"different behind 102 events"*"left   10.100000000 canary note "* ]]; then
    passed=$((passed + 1))
  else
    echo "unordered_argument is not caught: $output"
    failed=$((failed + 1))
  fi
  echo "$passed passed, $failed failed"
  ((failed == 0))
}

# The jobs of the stage sim that always run, and the scenarios among which they leave the rest.
sim_fixed=()
sim_scenarios=()

# sim_job NAME COMMAND ...: one of those that always run.
sim_job() {
  sim_fixed+=("sim.$1")
  job sim --after "build asan-build" --cost 10 "sim.$1" "${@:2}"
}

# sim_sweep SCENARIO: seeds from 250 on, in this scenario's share of the time that the fixed jobs
# left; at least one seed. Seeds that failed are named once more at the end. That a fault was on and
# never fired fails a sweep of a given length (sim.faults); here the length depends on the machine, so
# it is only told.
sim_sweep() {
  local name log=$logs/sim.sweep.$1.log left_ms=$((sim_seconds * 1000)) share_ms status=0
  for name in "${sim_fixed[@]}"; do
    left_ms=$((left_ms - job_work_ms[$name]))
  done
  share_ms=$((left_ms / ${#sim_scenarios[@]}))
  build/redoubt-sim sweep --scenario "$1" --seeds 250..99999 --jobs 1 \
    --time "$((share_ms > 1000 ? share_ms / 1000 : 1))s" || status=$?
  [[ $status != 1 || $(tail -n 1 "$log") != "sweep failed seeds "*" failed 0 "* ]] || status=0
  ((status == 0)) || sed -n 's|^ *replay: *redoubt-sim|again: ./dev sim|p' "$log" | head -n 20
  return "$status"
}

stage_sim() {
  local arguments number=0 file scenario
  needs build redoubt-sim
  needs asan-build redoubt-sim
  sim_job compare compare_compilers
  # In so many seeds each fault that is on has to fire.
  sim_job faults build/redoubt-sim sweep --scenario single --seeds 200..249 --jobs 1
  for file in tests/seeds/*.toml; do
    sim_job "replay.$(basename "$file" .toml)" replay_seed "$file"
  done
  while read -r arguments; do
    number=$((number + 1))
    sim_job "$number" sim_run "$arguments"
  done < <(sim_runs)
  for file in sim/scenarios/*.toml; do
    scenario=$(basename "$file" .toml)
    sim_scenarios+=("$scenario")
    job sim --after "build ${sim_fixed[*]}" "sim.sweep.$scenario" sim_sweep "$scenario"
  done
}

stage_report() {
  needs build redoubt-sim
  # Debian's: the browser's driver is a package of it.
  local width
  for width in Narrow Wide; do
    job report --after build --cost 30 "report.${width,}" \
      /usr/bin/python3 tests/report/browser_test.py build/redoubt-sim "$width"
  done
}

stage_server() {
  needs build redoubt-server
  local file
  for file in tests/server/*_test.py; do
    job server --after build --cost 30 --waits "server.$(basename "$file" _test.py)" python3 "$file"
  done
}

# What cannot be installed is not tested: the flows that need it are skipped.
stage_clients() {
  needs build redoubt-server
  job clients --cost 100 --waits clients.install tests/clients/install.sh
  job clients --after "build clients.install" --cost 40 --waits clients.flows \
    /usr/bin/python3 tests/clients/clients_test.py
}

# show_table STAGE ...: a row for each that had jobs, and the sum as the last line.
show_table() {
  local stage note passed=0 failed=0
  printf '\n%-14s %6s %6s %9s\n' stage passed failed work
  for stage in "$@"; do
    [[ -n ${stage_open[$stage]-} ]] || continue
    note=""
    [[ ${stage_tried[$stage]:-0} == 0 ]] || note+="  ${stage_tried[$stage]} ${tried_what[$stage]}"
    [[ -z ${stage_not_run[$stage]-} ]] || note+="  ${stage_not_run[$stage]} not run, for want of a build"
    printf '%-14s %6d %6d %7d s%s\n' "$stage" "${stage_passed[$stage]:-0}" \
      "${stage_failed[$stage]:-0}" "$((${stage_work_ms[$stage]:-0} / 1000))" "$note"
    passed=$((passed + ${stage_passed[$stage]:-0}))
    failed=$((failed + ${stage_failed[$stage]:-0}))
  done
  printf 'in %d s, %d jobs at a time\n\n' "$SECONDS" "$cores"
  echo "$passed passed, $failed failed"
  ((failed == 0))
}

# run_stages [STAGE ...]: all_stages when none is named.
run_stages() {
  local stage known=("${all_stages[@]}" "${more_stages[@]}") stages=("$@")
  if [[ ${1-} == --list ]]; then
    for stage in "${known[@]}"; do
      printf '%-14s %s\n' "$stage" "$(describe_stage "$stage")"
    done
    return
  fi
  ((${#stages[@]} > 0)) || stages=("${all_stages[@]}")
  for stage in "${stages[@]}"; do
    [[ " ${known[*]} " == *" $stage "* ]] ||
      fail "there is no stage '$stage'; ./dev test --list names them"
  done
  [[ $sim_seconds$fuzz_seconds =~ ^[0-9]+$ ]] ||
    fail "REDOUBT_SIM_SECONDS and REDOUBT_FUZZ_SECONDS are whole numbers of seconds"
  mkdir -p "$logs"
  for stage in "${known[@]}"; do
    [[ " ${stages[*]} " != *" $stage "* ]] || "stage_$stage"
  done
  queue_builds
  run_queue
  show_table "${known[@]}"
}
