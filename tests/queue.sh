# shellcheck shell=bash
# The queue of ./dev test: jobs of all stages in one list, as many at a time as there are cores.
# Sourced by stages.sh, which puts the jobs in.
#
# A job is a command whose output goes to build/log/NAME.log. It is started when a core is free and
# the jobs that it is `--after` have ended; of those that could start, the one with the highest
# `--cost` is first, so that a long one does not stay alone at the end. A job that is after a build
# is not run when the build failed. A build is one job although it uses all cores: what else is
# ready runs beside it, and fills its end, when it links.
#
# A job counts as the tests that its log speaks of:
#
#   GoogleTest     "[  PASSED  ] 12 tests." and "[  FAILED  ] Area.Name (3 ms)"
#   unittest       "Ran 12 tests", "FAILED (failures=1, errors=2)", "skipped=1"
#   our own        a last line "12 passed, 1 failed"
#   anything else  one test, passed when the exit status is 0
#
# A line "skipped: WHAT: WHY" of its log is shown.
#
# Where a budget of seconds decides how much is tried, the log says how much that was:
#
#   redoubt-sim    "sweep ok seeds 40 failed 0 ..."
#   libFuzzer      "stat::number_of_executed_units: 1234"
#   our own        a line "tried 1 seeds"

cores=$(nproc)
logs=build/log

# What the jobs are, by name; job_names has the order in which they were put in.
job_names=()
declare -A job_stage job_command job_after job_cost job_shares
# "waiting", "running", "passed", "failed" or "not run"; and the time of processors that it took.
declare -A job_state job_work_ms
# Sums of a stage, and how many of its jobs have not ended.
declare -A stage_passed stage_failed stage_not_run stage_work_ms stage_tried tried_what stage_open
declare -A running_jobs  # by process

# A core has two shares: a job takes both, one that waits most of the time takes one.
free_shares=$((cores * 2))

# job STAGE [--after "JOB ..."] [--cost SECONDS] [--waits] NAME COMMAND ...: puts a job in. The
# names behind --after may be of jobs that are not in the queue.
job() {
  local stage=$1 after="" cost=5 shares=2 name
  shift
  while [[ $1 == --* ]]; do
    case "$1" in
      --after) after=$2; shift 2 ;;
      --cost) cost=$2; shift 2 ;;
      --waits) shares=1; shift ;;
      *) fail "a job has no option '$1'" ;;
    esac
  done
  name=$1
  shift
  [[ -z ${job_state[$name]-} ]] || fail "there are two jobs '$name'"
  job_names+=("$name")
  job_stage[$name]=$stage
  job_command[$name]=${*@Q}
  job_after[$name]=$after
  job_cost[$name]=$cost
  job_shares[$name]=$shares
  job_state[$name]=waiting
  job_work_ms[$name]=0
  stage_open[$stage]=$((${stage_open[$stage]:-0} + 1))
}

# look_at NAME sets `readiness` to "ready", "later" or, when a build that it needs failed, "never".
look_at() {
  local before
  readiness=ready
  for before in ${job_after[$1]}; do
    case "${job_state[$before]-}" in
      waiting | running) [[ $readiness == never ]] || readiness=later ;;
      failed | "not run") [[ $before != *build ]] || readiness=never ;;
    esac
  done
}

# Runs the job as a process of its own.
start_job() {
  local name=$1 command
  eval "command=(${job_command[$name]})"
  rm -f "$logs/$name.times"
  (
    status=0
    "${command[@]}" > "$logs/$name.log" 2>&1 < /dev/null || status=$?
    times > "$logs/$name.times"
    exit "$status"
  ) &
  running_jobs[$!]=$name
  job_state[$name]=running
  free_shares=$((free_shares - job_shares[$name]))
}

# start_ready_jobs NAME ...: starts what can be started now, the first first, and closes what will not
# be run. Builds are first.
start_ready_jobs() {
  local name readiness
  for name in "$@"; do
    [[ ${job_state[$name]} == waiting ]] || continue
    look_at "$name"
    case "$readiness" in
      ready) ((job_shares[$name] > free_shares)) || start_job "$name" ;;
      never)
        job_state[$name]="not run"
        stage_not_run[${job_stage[$name]}]=$((${stage_not_run[${job_stage[$name]}]:-0} + 1))
        close_job "$name" ;;
    esac
  done
}

# end_job NAME STATUS: adds up what its log says, and shows the log's end when it failed.
end_job() {
  local name=$1 status=$2 stage=${job_stage[$1]} passed failed tried what
  free_shares=$((free_shares + job_shares[$name]))
  read -r passed failed tried what < <(count_tests "$logs/$name.log" "$status")
  job_work_ms[$name]=$(work_in_ms "$logs/$name.times")
  stage_passed[$stage]=$((${stage_passed[$stage]:-0} + passed))
  stage_failed[$stage]=$((${stage_failed[$stage]:-0} + failed))
  stage_work_ms[$stage]=$((${stage_work_ms[$stage]:-0} + job_work_ms[$name]))
  stage_tried[$stage]=$((${stage_tried[$stage]:-0} + tried))
  # shellcheck disable=SC2034  # show_table reads it
  [[ $what == - ]] || tried_what[$stage]=$what
  job_state[$name]=passed
  if ((failed > 0)); then
    job_state[$name]=failed
    echo "--- $name failed (status $status), the end of $logs/$name.log:"
    tail -n 60 "$logs/$name.log" | cut -c 1-400
  fi
  sed -n "s/^skipped: /--- $name skipped /p" "$logs/$name.log"
  close_job "$name"
}

# One job less of its stage; the last one says so.
close_job() {
  local stage=${job_stage[$1]}
  stage_open[$stage]=$((stage_open[$stage] - 1))
  ((stage_open[$stage] > 0)) ||
    printf '== %-13s ended at %d s: %d passed, %d failed%s\n' "$stage" "$SECONDS" \
      "${stage_passed[$stage]:-0}" "${stage_failed[$stage]:-0}" \
      "${stage_not_run[$stage]:+, ${stage_not_run[$stage]} jobs not run}"
}

# Sets `ended` and `status` when a job's own shell was killed: the shell forgets that one before it
# can be waited for with the others.
find_killed() {
  local process
  for process in "${!running_jobs[@]}"; do
    kill -0 "$process" 2> /dev/null && continue
    ended=$process status=0
    wait "$process" 2> /dev/null || status=$?
    return 0
  done
  sleep 0.1
  return 1
}

# Runs all jobs that were put in; the sums are in stage_* behind it.
run_queue() {
  local order ended status
  mapfile -t order < <(
    for name in "${job_names[@]}"; do echo "${job_cost[$name]} $name"; done |
      sort -s -k 1,1nr | cut -d ' ' -f 2)
  start_ready_jobs "${order[@]}"
  while ((${#running_jobs[@]} > 0)); do
    status=0 ended=""
    wait -n -p ended "${!running_jobs[@]}" 2> /dev/null || status=$?
    [[ -n ${ended-} ]] || find_killed || continue
    end_job "${running_jobs[$ended]}" "$status"
    unset "running_jobs[$ended]"
    start_ready_jobs "${order[@]}"
  done
  for ended in "${order[@]}"; do
    [[ ${job_state[$ended]} != waiting ]] || fail "job '$ended' waits for itself: --after ${job_after[$ended]}"
  done
}

# work_in_ms FILE: the sum of what `times` wrote, user and system, of the shell and of the processes
# that ended below it; 0 without the file, when the job was killed.
work_in_ms() {
  [[ -e $1 ]] || { echo 0; return; }
  awk '{ for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); sum += 60 * t[1] + t[2] } }
       END { printf "%d\n", sum * 1000 }' "$1"
}

# count_tests LOG STATUS prints "PASSED FAILED TRIED WHAT".
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
    /^sweep (ok|failed) seeds [0-9]+ /   { tried += $4; what = "seeds" }
    /^stat::number_of_executed_units: /  { tried += $2; what = "inputs" }
    /^tried [0-9]+ [a-z]+$/              { tried += $2; what = $3 }
    END {
      passed += ran - bad - skipped; failed += bad
      if (!counted && status == "0") passed = 1
      if (status != "0" && failed == 0) failed = 1
      print passed + 0, failed + 0, tried + 0, what == "" ? "-" : what
    }' "$1"
}
