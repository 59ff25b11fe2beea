# The stages of ./dev test, sourced by it. A stage is a function stage_NAME that starts jobs; a job
# is a command whose output goes to a log and that counts as the tests that its log speaks of:
#
#   GoogleTest     "[  PASSED  ] 12 tests." and "[  FAILED  ] Area.Name (3 ms)"
#   unittest       "Ran 12 tests", "FAILED (failures=1, errors=2)", "skipped=1"
#   our own        a last line "12 passed, 1 failed"
#   anything else  one test, passed when the exit status is 0
#
# As many jobs run side by side as there are cores, and more of those that wait. Stages run one after
# another, cheap ones first.

all_stages=(format source tidy build unit asan-build asan transcripts differential fuzz sim report server)
# Run only when they are named.
more_stages=(alone)

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
    fuzz) echo "the fuzz targets over the corpus and for some seconds more" ;;
    sim) echo "simulator seeds, with gcc and clang, in odd surroundings; digests compared" ;;
    report) echo "reports of runs in a browser, narrow and wide" ;;
    server) echo "end-to-end tests of build/redoubt-server" ;;
    alone) echo "each file compiles by itself (only when it is named)" ;;
  esac
}

cores=$(nproc)
logs=build/log
stage_jobs=()
stage_passed=0
stage_failed=0

# start NAME COMMAND ...: runs the command as a job.
start() {
  local name=$1
  shift
  while (($(jobs -rp | wc -l) >= cores)); do wait -n || true; done
  stage_jobs+=("$name")
  rm -f "$logs/$name.status"
  (
    local status=0
    "$@" > "$logs/$name.log" 2>&1 < /dev/null || status=$?
    echo "$status" > "$logs/$name.status"
  ) &
}

# Waits for the jobs of this stage and adds up what their logs say.
finish() {
  wait
  local name status passed failed
  for name in "${stage_jobs[@]}"; do
    status=$(cat "$logs/$name.status" 2>/dev/null || echo killed)
    read -r passed failed < <(count_tests "$logs/$name.log" "$status")
    stage_passed=$((stage_passed + passed))
    stage_failed=$((stage_failed + failed))
    if ((failed > 0)); then
      echo "--- $name failed (status $status), the end of $logs/$name.log:"
      tail -n 60 "$logs/$name.log" | cut -c 1-400
    fi
  done
  stage_jobs=()
}

# count_tests LOG STATUS prints "PASSED FAILED".
count_tests() {
  awk -v status="$2" '
    /^\[  PASSED  \] [0-9]+ test/        { passed += $4; counted = 1 }
    /^\[  FAILED  \] .* \([0-9]+ ms\)$/  { failed += 1 }
    /^Ran [0-9]+ tests? in/              { ran += $2; counted = 1 }
    match($0, /^(OK|FAILED) \(.*\)$/) {
      n = split($0, parts, /[^a-z0-9]+/)
      for (i = 1; i < n; i++) {
        if (parts[i] == "failures" || parts[i] == "errors") bad += parts[i + 1]
        if (parts[i] == "skipped") skipped += parts[i + 1]
      }
    }
    /^[0-9]+ passed, [0-9]+ failed$/     { passed += $1; failed += $3; counted = 1 }
    END {
      passed += ran - bad - skipped; failed += bad
      if (!counted && status == "0") passed = 1
      if (status != "0" && failed == 0) failed = 1
      print passed + 0, failed + 0
    }' "$1"
}

stage_format() {
  start format format --check
}

stage_source() {
  build_main source_test || return  # which links them all
  start source build/tests/source_test
}

stage_tidy() {
  start tidy tests/tidy.sh
}

stage_alone() {
  start alone tests/alone.sh
}

stage_build() {
  start build build_main all
}

# unit_jobs DIRECTORY PREFIX: each test program in two halves, which balances the two cores.
unit_jobs() {
  local program area half
  for program in "$1"/tests/*_test; do
    area=$(basename "$program" _test)
    [[ $area != source ]] || continue
    for half in 0 1; do
      start "$2$area.$half" env GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX="$half" "$program" \
        --gtest_brief=1
    done
  done
}

stage_unit() {
  build_main all || return
  unit_jobs build unit.
}

stage_asan-build() {
  start asan-build build_asan all
}

stage_asan() {
  build_asan all || return
  unit_jobs build/asan asan.
}

# transcripts NAME SERVER [OPTION]: what is newer than the reference is left out with --skip-newer.
transcripts() {
  local name=$1 server=$2
  shift 2
  start "transcripts.$name" tests/with_servers.py "$server" -- \
    build/differential transcripts --server '{1}' "$@" tests/transcripts/*.txt
}

stage_transcripts() {
  build_main redoubt-server differential || return
  build_asan redoubt-server || return
  transcripts gcc build/redoubt-server
  transcripts asan build/asan/redoubt-server
  transcripts reference build/reference/redis-server --skip-newer
}

# differential SEEDS SUBJECT [SERVER ...]: the reference is {1}, our server {2}.
differential() {
  local seeds=$1 subject=$2
  shift 2
  start "differential.$seeds.${subject//[^a-z0-9]/}" \
    tests/with_servers.py build/reference/redis-server "$@" -- \
    build/differential --reference '{1}' --subject "$subject" --seeds "$seeds"
}

stage_differential() {
  build_main redoubt-server differential || return
  build_asan redoubt-server || return
  differential 1..15 '{2}' build/redoubt-server
  differential 16..30 '{2}' build/redoubt-server
  differential 31..35 '{2}' build/asan/redoubt-server
  differential 1..15 model
}

stage_fuzz() {
  build_asan fuzz_resp fuzz_commands fuzz_listpack || return
  start fuzz.commands fuzz_target commands 20
  start fuzz.resp fuzz_target resp 10
  start fuzz.listpack fuzz_target listpack 10
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
  local first="" output line digest failed=0 passed=0 surrounding arguments
  read -ra arguments <<< "$1"
  for surrounding in plain foreign unrandomised clang; do
    if ! output=$(sim_in "$surrounding" run "${arguments[@]}"); then
      echo "$output"
      echo "failed with '$surrounding', commit $(git rev-parse HEAD); ./dev sim run $1"
      failed=$((failed + 1))
      continue
    fi
    line=$(tail -n 1 <<< "$output")
    digest=$(grep -oE 'digest [0-9a-f]{32} events [0-9]+' <<< "$line" || echo "no digest: $line")
    first=${first:-$digest}
    if [[ $digest == "$first" ]]; then
      passed=$((passed + 1))
    else
      echo "$1: '$digest' with '$surrounding', but '$first' before"
      failed=$((failed + 1))
    fi
  done
  echo "$passed passed, $failed failed"
  ((failed == 0))
}

# The arguments of the runs, one a line: some seeds, those of fixed bugs (tests/seeds: a file a bug,
# in it comments and lines such as "--scenario single --seed 7"), and the commit's own number, so
# that every commit tries something new.
sim_runs() {
  local seed
  for seed in {1..12}; do
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
  echo "$file: status $status"
  echo "0 passed, 1 failed"
  return 1
}

# compare_compilers: event by event, gcc's run is clang's; and where a planted bug leaves the order
# of two draws to the compiler, the first event that differs is named.
compare_compilers() {
  local passed=0 failed=0 output
  if build/redoubt-sim compare --scenario single --seed 7 --against build/asan/redoubt-sim; then
    passed=$((passed + 1))
  else
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

stage_sim() {
  build_main redoubt-sim || return
  build_asan redoubt-sim || return
  start sim.compare compare_compilers
  local arguments number=0 file scenario seeds
  for file in sim/scenarios/*.toml; do
    scenario=$(basename "$file" .toml)
    case "$scenario" in single) seeds=200..249 ;; crowd) seeds=200..204 ;; *) seeds=200..214 ;; esac
    start "sim.sweep.$scenario" build/redoubt-sim sweep --scenario "$scenario" --seeds "$seeds" \
      --jobs 1
  done
  for file in tests/seeds/*.toml; do
    start "sim.replay.$(basename "$file" .toml)" replay_seed "$file"
  done
  while read -r arguments; do
    number=$((number + 1))
    start "sim.$number" sim_run "$arguments"
  done < <(sim_runs)
}

stage_report() {
  build_main redoubt-sim || return
  # Debian's: the browser's driver is a package of it.
  start report.narrow /usr/bin/python3 tests/report/browser_test.py build/redoubt-sim Narrow
  start report.wide /usr/bin/python3 tests/report/browser_test.py build/redoubt-sim Wide
}

stage_server() {
  build_main redoubt-server || return
  local file cores=$((cores * 2))  # most of them wait most of the time
  for file in tests/server/*_test.py; do
    start "server.$(basename "$file" _test.py)" python3 "$file"
  done
}

# run_stages [STAGE ...]: all_stages when none is named.
run_stages() {
  local stage stages=("$@") began status=0 total_passed=0 total_failed=0 table=""
  if [[ ${1-} == --list ]]; then
    for stage in "${all_stages[@]}" "${more_stages[@]}"; do
      printf '%-14s %s\n' "$stage" "$(describe_stage "$stage")"
    done
    return
  fi
  ((${#stages[@]} > 0)) || stages=("${all_stages[@]}")
  for stage in "${stages[@]}"; do
    [[ " ${all_stages[*]} ${more_stages[*]} " == *" $stage "* ]] ||
      fail "there is no stage '$stage'; ./dev test --list names them"
  done
  mkdir -p "$logs"
  for stage in "${stages[@]}"; do
    printf '== %-13s %s\n' "$stage" "$(describe_stage "$stage")"
    began=$SECONDS stage_passed=0 stage_failed=0
    if ! "stage_$stage"; then
      echo "--- stage $stage did not start"
      stage_failed=1
    fi
    finish
    table+=$(printf '%-14s %6d %6d %7d s' "$stage" "$stage_passed" "$stage_failed" \
             $((SECONDS - began)))$'\n'
    total_passed=$((total_passed + stage_passed))
    total_failed=$((total_failed + stage_failed))
    # Without a build there is nothing to go on with.
    if [[ $stage == *build && $stage_failed -gt 0 ]]; then
      table+="(the stages after $stage were not run)"$'\n'
      break
    fi
  done
  printf '\n%-14s %6s %6s %9s\n%s\n' stage passed failed time "$table"
  echo "$total_passed passed, $total_failed failed"
  ((total_failed == 0))
}
