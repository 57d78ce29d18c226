#!/usr/bin/env bash
# Builds, runs, tests and measures Presales. `./deploy.sh help` lists the commands.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly REPOSITORY

# What nginx calls; each has a location in nginx/presales/functions.conf and a socket of its name.
readonly FUNCTIONS=(leads bulk-upload call schedule analytics webhook-vapi webhook-whatsapp health)
# What runs now and then, and the seconds between two runs; TIMER_PERIODS changes them.
readonly TIMERS=(call-orchestrator call-reconciler)
declare -A PERIODS=([call-orchestrator]=30 [call-reconciler]=600)

readonly BUILD_PACKAGES=(
    libfcgi-dev libcurl4-openssl-dev libsqlite3-dev libphonenumber-dev libminizip-dev zlib1g-dev libexpat1-dev
    libstdc++-12-dev tzdata
)
readonly RUN_PACKAGES=(nginx spawn-fcgi multiwatch curl)
readonly TEST_PACKAGES=(python3 python3-venv python3-selenium chromium chromium-driver openssl shellcheck strace)
readonly BENCH_PACKAGES=(python3 python3-venv wrk gcc libc6-dev)

# One build serves local, test and bench: optimised, and open to @testable imports.
readonly BUILD_FLAGS=(-c release -Xswiftc -enable-testing)

main() {
    local command=${1:-help}
    [[ $# -eq 0 ]] || shift
    case $command in
        local) run_local "$@" ;;
        test) run_tests "$@" ;;
        races) find_races "$@" ;;
        bench) run_benchmarks "$@" ;;
        help | -h | --help) usage ;;
        *) fail "There is no command $command: ./deploy.sh help lists those there are." ;;
    esac
}

usage() {
    cat <<'TEXT'
./deploy.sh local   builds Presales and runs it on this machine until Ctrl-C
    --port 8080     the dashboard's port; the sandbox takes the next one
    --state DIR     where the database, sockets and logs live (default: state/ here)
    --env FILE      more settings, one NAME=value a line
    --no-sandbox    calls go where VAPI_BASE_URL and the other settings say: to real people
    --no-demo       starts without demo leads
./deploy.sh test    runs every check and every test
./deploy.sh races   runs the Swift tests under ThreadSanitizer, in a build of their own: a quarter of an hour
./deploy.sh bench   measures Presales beside a Flask server and a C program, in a quarter of an hour
    NAME …          only the benchmarks whose names begin so: idle, health, list, refresh, upload, webhook, orchestrator

With PRESALES_BIN set to a folder of binaries, local runs those and builds nothing.
TEXT
}

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# ---------------------------------------------------------------- what has to be on the machine

# Installs the Debian packages that are missing, without asking anything.
install_packages() {
    local package missing=() as_root=()
    for package; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if [[ $EUID -ne 0 ]]; then
        command -v sudo >/dev/null ||
            fail "These Debian packages are missing, and only root can install them: ${missing[*]}"
        as_root=(sudo)
    fi
    say "Installing ${missing[*]}"
    # Debian starts nginx on port 80 as soon as it is installed; nobody asked for that server.
    local guarded=
    if [[ " ${missing[*]} " == *" nginx "* && -d /run/systemd/system ]]; then
        "${as_root[@]}" systemctl mask --runtime --quiet nginx.service && guarded=yes
    fi
    "${as_root[@]}" apt-get -q -q update &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get -q -q -y --no-install-recommends install "${missing[@]}" >/dev/null ||
        fail "Installing failed; the messages of apt-get stand above."
    [[ -z $guarded ]] || "${as_root[@]}" systemctl unmask --runtime --quiet nginx.service
}

require_swift() {
    [[ -n ${PRESALES_BIN:-} ]] || command -v swift >/dev/null ||
        fail "Presales needs Swift 6.2 or newer: install it from swift.org/install and put its usr/bin on the PATH."
}

readonly BUILD_LOG=$REPOSITORY/.build/build.log
building=''

# Builds everything, tests included, and sets BIN to the folder of the binaries.
build() {
    if [[ -n ${PRESALES_BIN:-} ]]; then
        BIN=$(cd "$PRESALES_BIN" && pwd) || fail "There is no folder $PRESALES_BIN."
        return
    fi
    BIN=$REPOSITORY/.build/release
    say "Building; the first time takes some minutes"
    mkdir -p "$REPOSITORY/.build"
    local log tee
    exec {log}> >(exec tee "$BUILD_LOG")
    tee=$!
    # A session of its own, so that whatever ends this script can end every compiler too.
    setsid setpriv --pdeathsig TERM swift build --package-path "$REPOSITORY" "${BUILD_FLAGS[@]}" --build-tests \
        </dev/null >&"$log" 2>&1 &
    building=$!
    exec {log}>&-
    wait "$building" || fail "The build failed; its messages stand above."
    building=''
    wait "$tee"
    cp "$REPOSITORY/VERSION" "$BIN/"
}

end_build() { [[ -z $building ]] || kill -TERM -- "-$building" 2>/dev/null || true; }

# ---------------------------------------------------------------- local: set up

run_local() {
    local port=8080 env_file='' sandbox=yes demo=yes
    STATE=$REPOSITORY/state
    while [[ $# -gt 0 ]]; do
        case $1 in
            --port | --state | --env)
                [[ -n ${2:-} ]] || fail "$1 needs a value: ./deploy.sh help says which."
                case $1 in
                    --port) port=$2 ;;
                    --state) STATE=$2 ;;
                    --env) env_file=$2 ;;
                esac
                shift
                ;;
            --no-sandbox) sandbox='' ;;
            --no-demo) demo='' ;;
            *) fail "local does not know $1: ./deploy.sh help lists its options." ;;
        esac
        shift
    done
    [[ $port =~ ^[1-9][0-9]{0,4}$ && $port -lt 65535 ]] || fail "--port must be a number from 1 to 65534."
    [[ -z $env_file || -r $env_file ]] || fail "The file $env_file cannot be read."

    require_swift
    trap 'exit 0' INT TERM
    trap end_everything EXIT
    prepare_state
    require_free_port "$port" --port
    [[ -z $sandbox ]] || require_free_port $((port + 1)) --port
    install_packages "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}"
    build
    prepare_environment
    prepare_nginx
    prepare_database

    [[ -z $sandbox ]] || start sandbox
    local name
    for name in "${FUNCTIONS[@]}" nginx; do start "$name"; done
    wait_until_ready
    say "Presales is ready at http://127.0.0.1:$port"
    supervise
}

# Creates the state folder, readable by its owner only, and makes sure that nobody else runs on it.
prepare_state() {
    umask 077
    mkdir -p "$STATE" || fail "The state folder $STATE cannot be made."
    STATE=$(cd "$STATE" && pwd -P)
    [[ $STATE != *[\"\\\$@]* && $STATE != *$'\n'* ]] ||
        fail "The path of the state folder holds a character that nginx cannot take: choose another with --state."
    local name longest=0 bytes
    for name in "${FUNCTIONS[@]}"; do
        bytes=$(printf %s "$STATE/run/$name.sock" | wc -c)
        ((longest = bytes > longest ? bytes : longest))
    done
    # sockaddr_un holds 108 bytes with the closing zero.
    [[ $longest -le 107 ]] ||
        fail "The path of the state folder is $((longest - 107)) bytes too long for sockets: choose a shorter one with --state."
    mkdir -p "$STATE"/{run,log,triggers,nginx,sandbox}
    exec {lock}>"$STATE/run/lock"
    flock -n "$lock" ||
        fail "Presales is running on $STATE already: stop it first, or choose another folder with --state."
}

require_free_port() { # port option
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null ||
        fail "Port $1 is in use by another program: choose another with $2."
}

# Sets what the programs are told. A setting of --env wins over the environment, that over the sandbox's own.
prepare_environment() {
    if [[ -n $sandbox ]]; then
        [[ -e $STATE/env ]] || write_secrets
        read_settings "$STATE/env" default
    fi
    [[ -z $env_file ]] || read_settings "$env_file"
    export DATABASE_URL="sqlite:$STATE/presales.db" STATE_DIR=$STATE TRIGGERS=$STATE/triggers
    export PUBLIC_URL="http://127.0.0.1:$port"
    # A program that crashes ends at once and is started again: describing the crash would take it seconds.
    export SWIFT_BACKTRACE=enable=no
    if [[ -n $sandbox ]]; then
        export SANDBOX_PORT=$((port + 1)) SANDBOX_STATE=$STATE/sandbox
        export VAPI_BASE_URL="http://127.0.0.1:$SANDBOX_PORT"
        export VAPI_CONCURRENT_LIMIT=${VAPI_CONCURRENT_LIMIT:-5}
        export CLOCK_OFFSET_FILE=$STATE/clock-offset
        move_clock
    fi
    local pair name periods=${TIMER_PERIODS:-}
    for pair in ${periods//,/ }; do
        name=${pair%%=*} name=${name//_/-}
        [[ $pair =~ ^[a-z_-]+=[1-9][0-9]{0,4}$ ]] ||
            fail "TIMER_PERIODS must read like call-orchestrator=30,call-reconciler=600 (seconds)."
        # A name that this version does not know belongs to another one.
        [[ -z ${PERIODS[$name]:-} ]] || PERIODS[$name]=${pair#*=}
    done
}

# What the sandbox and the functions share; made once, so that calls under way survive a restart.
write_secrets() {
    local random=/proc/sys/kernel/random/uuid
    cat >"$STATE/env" <<TEXT
# The sandbox's own account; nothing here opens a real one.
VAPI_API_KEY=sandbox-$(<$random)
VAPI_ASSISTANT_ID=$(<$random)
VAPI_PHONE_NUMBER_ID=$(<$random)
VAPI_WEBHOOK_SECRET=$(<$random)
TEXT
}

# Exports the NAME=value lines of a file; with `default`, only those that are not set yet.
read_settings() { # file [default]
    local line number=0 name value
    while IFS= read -r line || [[ -n $line ]]; do
        ((number += 1))
        line=${line%$'\r'}
        [[ ! $line =~ ^[[:space:]]*(#|$) ]] || continue
        [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*[^[:space:]]|)[[:space:]]*$ ]] ||
            fail "Line $number of $1 must read NAME=value."
        name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]}
        [[ ! $value =~ ^\"(.*)\"$ && ! $value =~ ^\'(.*)\'$ ]] || value=${BASH_REMATCH[1]}
        [[ ${2:-} == default && -n ${!name:-} ]] || export "$name=$value"
    done <"$1"
}

# A rehearsal begins on a Monday at 11:00 in India, within calling hours. When it is started again in the middle of a
# rehearsed working day, time goes on from there; otherwise it moves on to the next Monday, never back.
move_clock() {
    local now at day hour
    now=$(date +%s)
    if [[ -s $CLOCK_OFFSET_FILE ]]; then
        at=$((now + $(<"$CLOCK_OFFSET_FILE") / 1000))
        read -r day hour < <(TZ=Asia/Kolkata date -d "@$at" '+%u %-H')
        ((day > 5 || hour < 10 || hour >= 19)) || return 0
        at=$(india_time "$(india_date "@$at") 11:00 + $((8 - day)) days")
    else
        at=$(india_time "$(india_date 'last monday') 11:00")
    fi
    printf '%s\n' $(((at - now) * 1000)) >"$CLOCK_OFFSET_FILE.new"
    mv "$CLOCK_OFFSET_FILE.new" "$CLOCK_OFFSET_FILE"
}
india_date() { TZ=Asia/Kolkata date -d "$1" +%F; }
india_time() { TZ=Asia/Kolkata date -d "$1" +%s; }

prepare_nginx() {
    local recordings=''
    [[ -z $sandbox ]] || recordings=" http://127.0.0.1:$SANDBOX_PORT"
    render_nginx local "$STATE/nginx" \
        "STATE=$STATE" "SOCKETS=$STATE/run" "DASHBOARD=$REPOSITORY/nginx/dashboard" \
        "LOG=$STATE/log/access.log" "ERROR_LOG=$STATE/log/nginx.log" "PORT=$port" "RECORDINGS=$recordings" \
        "SERVER_NAMES=127.0.0.1 localhost"
}

# Copies nginx's files for `local` or `production` to a folder, with the words between at signs filled in.
render_nginx() { # mode folder NAME=value …
    local mode=$1 folder=$2 file text pair
    shift 2
    mkdir -p "$folder/presales"
    for file in "$REPOSITORY"/nginx/{presales.conf,presales/*.conf,"$mode"/*.conf}; do
        text=$(<"$file")
        for pair; do text=${text//"@${pair%%=*}@"/"${pair#*=}"}; done
        case ${file##*/} in
            presales.conf | nginx.conf) printf '%s\n' "$text" >"$folder/${file##*/}" ;;
            *) printf '%s\n' "$text" >"$folder/presales/${file##*/}" ;;
        esac
    done
}

# Brings the schema up to date. A rehearsal's database is marked as one, which it refuses when it holds real leads; a new
# one gets the demo leads. Each step that fails says why itself.
prepare_database() {
    local is_new=''
    [[ -e $STATE/presales.db ]] || is_new=yes
    "$BIN/presalesctl" migrate || exit 1
    [[ -n $sandbox ]] || return 0
    "$BIN/presalesctl" rehearsal || exit 1
    [[ -z $demo || -z $is_new ]] || "$BIN/presalesctl" demo || exit 1
}

# ---------------------------------------------------------------- local: keep it running

declare -A process_of=() # name -> the process of a service or of a timer's run
declare -A signal_of=()  # name -> what ends that process in good order
declare -A started_at=() # name -> second of its last start
declare -A due_at=()     # name -> second when a timer runs next, or a fallen service starts again
ticking='' lock=''

start() { # name
    case $1 in
        sandbox)
            launch "$1" TERM "$BIN/sandbox"
            echo "${process_of[sandbox]}" >"$STATE/run/sandbox.pid"
            ;;
        nginx)
            local user=()
            # The workers of root's nginx would become nobody, whom the sockets do not let in.
            [[ $EUID -ne 0 ]] || user=(-g 'user root;')
            launch "$1" QUIT nginx -p "$STATE/nginx/" -c nginx.conf -e stderr "${user[@]}"
            ;;
        *) start_function "$1" ;;
    esac
}

# spawn-fcgi opens the socket (-n keeps standard error), multiwatch holds it and starts the function again the moment it
# dies, so that callers wait instead of failing. A function that dies 20 times, each within a second of its start, ends
# multiwatch too, and supervise goes on at a calmer pace. multiwatch passes SIGTERM on as SIGUSR1, on which functions
# stop, too; its -s is of no use, because version 1.0.0 sends another signal than the one that -s names.
start_function() { # name
    rm -f "$STATE/run/$1.sock"
    launch "$1" TERM "$(type -P spawn-fcgi)" -n -s "$STATE/run/$1.sock" -M 0600 -- \
        "$(type -P multiwatch)" -r 20 -t 1000 -- \
        "$(type -P setpriv)" --pdeathsig KILL \
        /bin/sh -c 'echo $$ >"$1" && exec "$2"' sh "$STATE/run/$1.pid" "$BIN/$1"
}

# One run of a timer. It sees to it itself that a run by hand does not go on beside it.
start_timer() { # name
    rm -f "$STATE/triggers/$1"
    launch "$1" TERM "$BIN/$1"
}

# Starts a program in a session of its own, so that Ctrl-C reaches this script only, which then ends all in order. If
# this script is killed, the kernel sends the program the same signal.
launch() { # name signal command …
    local name=$1 signal=$2
    shift 2
    setsid setpriv --pdeathsig "$signal" "$@" </dev/null >>"$STATE/log/$name.log" 2>&1 {lock}>&- &
    process_of[$name]=$!
    signal_of[$name]=$signal
    started_at[$name]=$EPOCHSECONDS
}

is_running() { kill -0 "${process_of[$1]}" 2>/dev/null; }

# Waits until nginx and the health function answer, and every program has lived for two seconds: one that cannot work
# ends at its start, is started anew by multiwatch, and has another process each time.
wait_until_ready() {
    local name status='' processes='' before='' deadline=$((EPOCHSECONDS + 60)) settled=0
    until [[ $status == 200 && $EPOCHSECONDS -ge $settled ]]; do
        for name in "${!process_of[@]}"; do
            is_running "$name" || fail "$name did not start: $(last_words "$name")"
        done
        [[ $EPOCHSECONDS -lt $deadline ]] ||
            fail "Presales did not get ready within a minute; $STATE/log says why."
        sleep 0.1
        processes=$(cat "$STATE"/run/*.pid 2>/dev/null) || true
        [[ $processes == "$before" ]] || settled=$((EPOCHSECONDS + 2))
        before=$processes
        status=$(curl -s -o /dev/null -w '%{http_code}' --noproxy '*' --max-time 5 \
            "http://127.0.0.1:$port/health") || true
    done
}

# The last line a program logged, multiwatch's own about it excepted.
last_words() { grep -v -E '^(Child|Spawning child)\[' "$STATE/log/$1.log" | tail -n 1; }

# Runs until a signal: starts again what falls, and the timers when they are due or asked for. One loop, woken by every
# death of a child and by each second.
supervise() {
    local name ended
    for name in "${TIMERS[@]}"; do due_at[$name]=$EPOCHSECONDS; done
    while true; do
        for name in "${!due_at[@]}"; do
            [[ -z ${process_of[$name]:-} ]] || continue
            if [[ -n ${PERIODS[$name]:-} ]]; then
                [[ $EPOCHSECONDS -lt ${due_at[$name]} && ! -e $STATE/triggers/$name ]] || start_timer "$name"
            elif [[ $EPOCHSECONDS -ge ${due_at[$name]} ]]; then
                unset "due_at[$name]"
                start "$name"
            fi
        done
        if [[ -z $ticking ]]; then
            sleep 1 {lock}>&- &
            ticking=$!
        fi
        ended=''
        wait -n -p ended || true
        [[ $ended != "$ticking" ]] || ticking=''
        # Looked up rather than taken from wait, which names one of several that end at once.
        for name in "${!process_of[@]}"; do
            is_running "$name" || after_end "$name"
        done
    done
}

# What follows the end of a program: a timer waits for its next turn, a service starts again, at once unless it lived
# for a moment only. What is left of its session is ended first: nginx's workers outlive a killed master.
after_end() { # name
    local process=${process_of[$1]} lived=$((EPOCHSECONDS - started_at[$1]))
    unset "process_of[$1]"
    kill -KILL -- "-$process" 2>/dev/null || true
    if [[ -n ${PERIODS[$1]:-} ]]; then
        due_at[$1]=$((started_at[$1] + PERIODS[$1]))
    else
        due_at[$1]=$((EPOCHSECONDS + (lived < 2 ? 1 : 0)))
    fi
}

# Ends what this script started and nothing else: first the door, then the timers and functions, then the outside world.
end_everything() {
    local status=$?
    trap '' INT TERM
    end_build
    [[ -z $ticking ]] || kill "$ticking" 2>/dev/null || true
    end nginx
    end "${TIMERS[@]}" "${FUNCTIONS[@]}"
    end sandbox
    return "$status"
}

# Asks programs to end and waits; a dial under way may take 15 s.
end() { # name …
    local name deadline=$((EPOCHSECONDS + 20)) left=()
    for name; do
        [[ -n ${process_of[$name]:-} ]] || continue
        kill -s "${signal_of[$name]}" "${process_of[$name]}" 2>/dev/null || true
        left+=("$name")
    done
    for name in "${left[@]}"; do
        while is_running "$name" && [[ $EPOCHSECONDS -lt $deadline ]]; do sleep 0.05; done
        kill -KILL -- "-${process_of[$name]}" 2>/dev/null || true
        rm -f "$STATE/run/$name.sock" "$STATE/run/$name.pid"
    done
}

# ---------------------------------------------------------------- test

readonly PYTHON=$REPOSITORY/.venv/bin/python
passed=0 failed=0 reports='' checking=''

# Runs every check in order and ends with `N passed, N failed`; exit 1 when one failed. Only a failed build ends it early.
run_tests() {
    [[ $# -eq 0 ]] || fail "test takes no options."
    require_swift
    cd "$REPOSITORY"
    reports=$(mktemp -d)
    trap 'exit 130' INT TERM
    trap 'end_build; [[ -z $checking ]] || kill "$checking" 2>/dev/null; rm -rf "$reports"' EXIT
    install_packages "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}" "${TEST_PACKAGES[@]}"

    check "Format of the Swift code" \
        swift format lint --strict --parallel --recursive Core Functions Tests Package.swift
    check "What the Swift code does without" find_forbidden_words
    check "Shell scripts" shellcheck --exclude=SC2015,SC2016 deploy.sh .ci/run
    heading "Build"
    build
    export PRESALES_BIN=$BIN SANDBOX_BIN=$BIN/sandbox
    check "Warnings of the build" find_warnings
    check "Swift tests" swift test "${BUILD_FLAGS[@]}" --skip-build
    # The same weeks each time; those of the Swift tests above are others in each run, and of fewer people.
    check "Three weeks of calls" \
        env TIME_TRAVEL_LEADS=10000 TIME_TRAVEL_SEED=20261126 swift test "${BUILD_FLAGS[@]}" --skip-build --filter TimeTravelTests
    check "Python packages for the checks below" prepare_python
    check "Contracts: examples" "$PYTHON" Tests/Contracts/examples.py
    check "Contracts: what we say and are told" "$PYTHON" Tests/Contracts/exchanges.py
    check "Contracts: why calls end" "$PYTHON" Tests/Contracts/verify/vapi_ended_reason.py --check
    check "Contracts: the table that the code reads" "$PYTHON" Tests/Contracts/generate_ended_reasons.py --check
    check "Judges: time zones" "$PYTHON" Tests/Referee/zones.py
    check "Judges: calling window" "$PYTHON" Tests/Referee/calling_window.py
    check "Judges: why calls end" "$PYTHON" Tests/Referee/ended_reasons.py
    check "Sandbox" "$PYTHON" Tests/SandboxTests/test_sandbox.py
    check "Eight writers at once" "$BIN/store-stress" 30
    check "End to end" "$PYTHON" -m unittest discover --start-directory Tests/EndToEnd
    check "Requests that schemathesis invents" "$PYTHON" Tests/EndToEnd/invented_requests.py 120
    check "Dashboard: modules" "$PYTHON" Tests/Browser/modules_test.py
    check "Dashboard: in a browser" \
        "$PYTHON" Tests/EndToEnd/stack.py "$PYTHON" Tests/Browser/dashboard_test.py
    check "Parsers against invented input" Tests/Fuzz/run all 20

    say "" "$passed passed, $failed failed"
    [[ $failed -eq 0 ]]
}

heading() { printf '\n== %s (%(%H:%M:%S)T)\n' "$1" -1; }

# Runs one check and counts: the tests that it reports, or itself as one.
check() { # heading command …
    local report status=0 ran wrong limit=(timeout --foreground 1800)
    report=$(mktemp -p "$reports")
    heading "$1"
    shift
    [[ $(type -t "$1") != function ]] || limit=()
    "${limit[@]}" "$@" </dev/null >"$report" 2>&1 &
    checking=$!
    # Followed in its file: a pipe would stay open as long as anything lives that a check has left behind.
    tail -s 0.2 -n +1 -f --pid="$checking" "$report"
    wait "$checking" || status=1
    checking=''
    ran=$(sed -n -E 's/^.*Test run with ([0-9]+) tests? .*/\1/p; s/^Ran ([0-9]+) tests? in .*/\1/p' "$report" | tail -n 1)
    wrong=$(grep -E '^(FAIL|ERROR): |^.* Test .* failed after ' "$report" | grep -c -v 'Test run with') || true
    # What ended badly without naming a test counts as one failure.
    if [[ $status -eq 0 ]]; then wrong=0; elif [[ $wrong -eq 0 ]]; then wrong=1; fi
    [[ ${ran:-0} -gt $wrong ]] || ran=$((wrong > 0 ? wrong : 1))
    passed=$((passed + ran - wrong)) failed=$((failed + wrong))
}

# Ways to crash or to silence the compiler, which this code does not use.
find_forbidden_words() {
    ! grep -rnE --include='*.swift' \
        'try!|[^a-z]as!|fatalError\(|preconditionFailure\(|@unchecked Sendable|nonisolated\(unsafe\)' \
        Core Functions Tests
}

find_warnings() { ! grep -F "$REPOSITORY/" "$BUILD_LOG" | grep -F ' warning: '; }

# Debian's own interpreter, because the browser's driver is a Debian package.
make_environment() {
    [[ -x $PYTHON ]] || /usr/bin/python3 -m venv --system-site-packages "$REPOSITORY/.venv"
}

prepare_python() {
    make_environment
    "$PYTHON" -m pip install --quiet --disable-pip-version-check \
        -r Tests/Contracts/verify/requirements.txt -r Tests/EndToEnd/requirements.txt
}

# ---------------------------------------------------------------- races

# Exit 1 when a test fails or the sanitizer has something to report, which it prints.
find_races() {
    [[ $# -eq 0 ]] || fail "races takes no options."
    require_swift
    cd "$REPOSITORY"
    install_packages "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
    local flags=(--sanitize=thread -Xswiftc -O -Xswiftc -enable-testing --scratch-path .build-races)
    swift build "${flags[@]}" --build-tests
    cp VERSION .build-races/debug/
    TSAN_OPTIONS=exitcode=1 swift test "${flags[@]}" --skip-build
}

# ---------------------------------------------------------------- bench

# Prints `name ratio target pass|fail` for each benchmark; exit 1 when one failed.
run_benchmarks() {
    require_swift
    cd "$REPOSITORY"
    trap 'exit 130' INT TERM
    trap end_build EXIT
    install_packages "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"
    build
    make_environment
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -r Tests/Benchmarks/requirements.txt
    PRESALES_BIN=$BIN "$PYTHON" Tests/Benchmarks/bench.py "$@"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
