# Runs nginx and keeps it in step with the files beside it and with the containers that they name. POSIX sh, for
# Debian and Alpine. A change is tried by `nginx -t` first; one that fails is reported and the old one goes on.
#
#   /etc/edge/config, /run/secrets       the configuration and the certificates
#   /etc/edge/certificates                certificates that come and are renewed by themselves (acme.py)
#   /etc/edge/upstreams/NAME/SLOT         "CONTAINER ALIAS PORT": a replica (components/containers/handover.py)
#   /run/handover/NAME/leaving.ADDRESS    a replica that wants no more requests (components/containers/leave.sh)
#   /run/handover/NAME/status             what the edge serves, for replicas and for steps of an update
#   /run/edge-state/status                which configuration it serves, or refused and why
#   /tmp/edge/current                     the generation that nginx reads
set -u
etc=/etc/edge certs=/etc/edge/certificates run=/tmp/edge hand=/run/handover state=/run/edge-state
tick=0.25 ticks=0 generation=0 nginx='' old='' sum='' seen='' refused='' reported='' issued=''
known='' heard=addresses.a other=addresses.b looked=0 looked_at=0 believed=0 up=0 reported_at=0 behind=''
words='' refused_at=0 refused_wait=30 unissued='' unissued_at=0 unissued_wait=30 unsure=''
export RES_OPTIONS='timeout:1 attempts:1'
umask 022
mkdir -p "$run"
rm -rf "$run"/generation-* "$run/current" "$run"/issued*
: >"$run/$heard"
echo 0 >"$run/answered"
rm -f "$hand"/*/status.??????
upstreams=''
for folder in "$etc"/upstreams/*/; do
    [ -d "$folder" ] || continue
    folder=${folder%/}
    upstreams="$upstreams ${folder##*/}"
done

say() { echo "edge: $*" >&2; }
sum_of() { cat "$etc"/config/* /run/secrets/* 2>/dev/null | sha256sum; }
look_at() { sha256sum "$etc"/config/* /run/secrets/* 2>/dev/null; }
issued_sum() { cat "$certs"/*.pem 2>/dev/null | sha256sum; }

issue() { # FOLDER: a copy of the certificates there, in issued.new; or $said why not
    said=$({ rm -rf "$run/issued.new" && mkdir -m 700 "$run/issued.new"; } 2>&1) || return 1
    for file in "$1"/*.pem; do
        [ ! -f "$file" ] || said=$(cp "$file" "$run/issued.new/" 2>&1) || return 1
    done
}

keep() { # that copy is what the next generations have
    said=$({ rm -rf "$run/issued" && mv "$run/issued.new" "$run/issued"; } 2>&1)
}

believe() { # take the answer that has come
    [ "$believed" != "$looked" ] && read -r answered <"$run/answered" && [ "$answered" = "$looked" ] || return
    believed=$looked known='' found=' '
    while read -r address name _; do
        known="$known$address $name
" found="$found$name "
    done <"$run/$other"
    # A name without an answer is more likely a busy engine than the end of a replica: believed the second time.
    while read -r address name _; do
        case $found in *" $name "*) ;; *) known="$known$address $name
" ;; esac
    done <"$run/$heard"
    stale=$heard heard=$other other=$stale
}

look_up() { # the addresses of all names, in the background: a name that is gone may take a second
    looked=$((looked + 1)) looked_at=$up names=''
    for slot in "$etc"/upstreams/*/*; do
        [ -r "$slot" ] && read -r name alias _ <"$slot" || continue
        names="$names $name"
        case " $names " in *" $alias "*) ;; *) names="$names $alias" ;; esac
    done
    (
        if command -v getent >/dev/null; then
            # shellcheck disable=SC2086
            getent hosts $names
        else
            for name in $names; do
                nslookup "$name" 2>/dev/null | awk -v name="$name" '/^Name:/ { on = 1 } on && /^Address/ { print $NF, name }'
            done
        fi >"$run/$other"
        echo "$looked" >"$run/answered"
    ) &
}

wants() { # ADDRESS: whether it asked to be left out, within the last 15 s (leave.sh repeats it every two)
    # All replicas may write here: what is no time is no mark. Empty ones are those of replicas that an earlier
    # berth started, which say it once.
    mark=$hand/$upstream/leaving.$1 lasts=15
    [ -f "$mark" ] || return 1
    if [ -s "$mark" ]; then read -r told _ <"$mark"; else told=$(date -r "$mark" +%s) lasts=40; fi
    asked=$(date +%s)
    [ "$told" -le "$asked" ] && [ "$told" -gt $((asked - lasts)) ]
} 2>/dev/null

add() { # NAME PORT: serve the addresses of a name that do not want to leave, or all where $stays
    added=''
    while read -r address name _; do
        case $name:$address in "$1":*:*) continue ;; "$1":*) ;; *) continue ;; esac
        [ -z "$stays" ] && wants "$address" && continue
        added=yes
        case " $serving " in *" $address "*) continue ;; esac
        serving="$serving $address"
        text="${text}server $address:$2 max_fails=1 fail_timeout=1s;
"
    done <<EOT
$known
EOT
    [ -n "$added" ]
}

add_listed() {
    for slot in "$etc/upstreams/$upstream"/*; do
        [ -r "$slot" ] || continue
        read -r container alias port <"$slot" || continue
        add "$container" "$port" && names="$names $container"
    done
    [ -n "$text" ]
}

add_alias() { [ -n "$alias" ] && add "$alias" "$port"; }

plan() { # what the replicas of $upstream come to: $text, $serving, $names and $port
    text='' serving='' names='' alias='' port=0 stays=''
    add_listed && return
    # Marks alone never empty an upstream: whoever wrote them, these replicas run.
    stays=yes
    add_listed && return
    # None that is listed runs: an update was cut off, or the host came up anew. Whoever has the alias serves.
    stays=''
    add_alias && return
    stays=yes
    add_alias && return
    stays='' text='server 127.0.0.1:1 down;
'
}

generate() { # FOLDER CERTIFICATES ISSUED: a generation from these and the planned upstreams; or $said why not
    said=$({ rm -rf "$run/next" && mkdir -p "$run/next/upstreams" && mkdir -m 700 "$run/next/tls"; } 2>&1) || return 1
    conf=$1/config/nginx.conf
    [ -d "$1/config" ] || conf=$1/nginx.conf
    said=$(cp "$conf" "$run/next/nginx.conf" 2>&1) || return 1
    for file in "$2"/* "$3"/*.pem; do
        [ ! -f "$file" ] || said=$(cp -f "$file" "$run/next/tls/" 2>&1) || return 1
    done
    [ -z "$lacks" ] || said=$(sed -i "/^ *$lacks /d" "$run/next/nginx.conf" 2>&1) || return 1
    number=0
    for upstream in $upstreams; do
        number=$((number + 1))
        eval "body=\$next_$number"
        said=$( (printf '%s' "$body" >"$run/next/upstreams/$upstream.conf") 2>&1) || return 1
    done
    said=$(nginx -t -q -c "$run/next/nginx.conf" 2>&1)
}

workers() { # the processes whose parent is nginx's master
    for stat in /proc/[0-9]*/stat; do
        { read -r pid _ _ parent _ <"$stat"; } 2>/dev/null || continue
        [ "$parent" = "$nginx" ] && printf '%s ' "$pid"
    done
}

leaves() { grep -q 'shutting down' "/proc/$1/cmdline" 2>/dev/null || [ ! -e "/proc/$1/stat" ]; }

lead_to() { # NUMBER: the generation that nginx reads from now on
    ln -sfn "generation-$1" "$run/link" && mv -T "$run/link" "$run/current" ||
        ln -sfn "generation-$1" "$run/current"
} 2>/dev/null

taken() { # whether nginx has new processes, and none of $before takes requests any more
    for pid in $before; do leaves "$pid" || return 1; done
    for pid in $(workers); do case " $before " in *" $pid "*) ;; *) return 0 ;; esac done
    return 1
}

hundredths() { # the host's clock in 1/100 s, in $clock
    read -r clock _ </proc/uptime
    clock=$((${clock%.*} * 100 + 1${clock#*.} - 100))
}

adopt() { # make the next generation the current one, and wait until no process takes requests for the old one
    following=generation-$((generation + 1))
    if ! { rm -rf "${run:?}/$following" && mv "$run/next" "$run/$following" && lead_to $((generation + 1)); } 2>/dev/null; then
        said="$run cannot be written to"
        return 1
    fi
    generation=$((generation + 1))
    if [ -n "$nginx" ]; then
        before=$(workers)
        kill -HUP "$nginx" 2>/dev/null
        hundredths
        began=$clock
        until taken; do
            sleep 0.05
            hundredths
            [ $((clock - began)) -ge 500 ] || ! kill -0 "$nginx" 2>/dev/null || continue
            # It may yet take it, in part or late: the one before is put to it again until it has taken that.
            said="nginx did not take it within 5 s; its words are in the edge's log"
            generation=$((generation - 1)) unsure=yes
            lead_to "$generation" && rm -rf "${run:?}/$following" 2>/dev/null
            return 1
        done
        old="$old $before"
    fi
    unsure=''
    rm -rf "$run/generation-$((generation - 2))" 2>/dev/null
    return 0
}

hex() { # ADDRESS PORT as /proc/net/tcp writes them
    IFS=. read -r a b c d <<EOT
$1
EOT
    printf '%02X%02X%02X%02X:%04X' "$d" "$c" "$b" "$a" "$2"
}

busy() { # sets $busy: addresses that are served no more, but that an old process still talks to
    still=''
    for pid in $old; do [ -e "/proc/$pid/stat" ] && still="$still $pid"; done
    old=$still
    eval "retired=\${retired_$number:-}"
    busy='' kept=''
    for entry in $retired; do
        address=${entry%%:*} quiet=${entry##*:}
        case " $serving " in *" $address "*) continue ;; esac
        [ -n "$old" ] || continue
        if grep -q " [0-9A-F]*:[0-9A-F]* $(hex "$address" "$port") 0[1238] " /proc/net/tcp; then
            quiet=0
        else
            quiet=$((quiet + 1))
        fi
        # Eight quiet seconds, one a report: an old process may be reading a request that has not gone to a replica
        # yet, or be asked over a client's connection that it keeps for up to five (keepalive_min_timeout).
        [ "$quiet" -ge 8 ] && continue
        busy="$busy $address" kept="$kept $address:$quiet"
    done
    eval "retired_$number=\$kept"
}

report() { # each upstream's status
    number=0 waited_for=''
    read -r now _ <<EOT
$(date +%s)
EOT
    for upstream in $upstreams; do
        number=$((number + 1))
        eval "serving=\$serving_$number names=\$names_$number port=\$port_$number"
        busy
        waited_for=$waited_for$busy
        # All replicas may write here: a file of a name that nobody knows before, and that is not there.
        new=$(mktemp "$hand/$upstream/status.XXXXXX") || continue
        printf 'beat %s\nnames %s\nserving %s\nbusy %s\n' "$now" "$names" "$serving" "$busy" >"$new" &&
            chmod 644 "$new" && mv -f "$new" "$hand/$upstream/status" || rm -f "$new"
    done
    printf 'beat %s\nserved %s\nrefused %s\n%s' "$now" "${sum%% *}" "${refused%% *}" "${words:+$words
}" >"$state/status.new" && mv -f "$state/status.new" "$state/status"
}

promote() { # what was planned is what nginx does now
    number=0
    for upstream in $upstreams; do
        number=$((number + 1))
        eval "was=\${planned_$number:-} text=\$next_$number had=\${serving_$number:-} serving=\$serving_next_$number"
        if [ "$text" != "$was" ]; then
            for address in $had; do
                case " $serving " in *" $address "*) ;; *) eval "retired_$number=\"\${retired_$number:-} $address:0\"" ;; esac
            done
        fi
        eval "planned_$number=\$text serving_$number=\$serving names_$number=\$names_next_$number"
    done
}

follow() { # compare what is with what should be; adopt what nginx accepts
    changed='' number=0
    for upstream in $upstreams; do
        number=$((number + 1))
        plan
        eval "was=\${planned_$number:-} stayed=\${stays_$number:-}"
        [ -z "$stays" ] || [ -n "$stayed" ] || say "all replicas of $upstream want to leave; none is left out:$serving"
        [ "$text" = "$was" ] || changed=yes
        eval "next_$number=\$text stays_$number=\$stays serving_next_$number=\$serving names_next_$number=\$names port_$number=\$port"
    done
    doing='refused upstreams, and tries again'
    [ -z "$unsure" ] || [ -n "$changed" ] || changed=yes doing='gives nginx again what it had, and tries again'
    [ -n "$changed" ] || behind=''
    now_sum=$sum failed=''
    if [ $((ticks % 4)) -eq 0 ]; then
        look=$(look_at)
        # Read once more where something looks different, or where a file was refused that may have been half there.
        { [ "$look" = "$seen" ] && [ -z "$refused" ]; } || now_sum=$(sum_of)
        seen=$look
    fi
    # What was refused is tried again now and then: perhaps it was the disk, not the file. Ever more seldom where a
    # try is a reload that nginx does not take: each costs it its processes.
    if [ "$now_sum" != "$sum" ] && { [ "$now_sum" != "$refused" ] || [ $((up - refused_at)) -ge "$refused_wait" ]; }; then
        if generate "$etc" /run/secrets "$run/issued" && adopt; then
            sum=$now_sum refused='' changed='' behind=''
            say "serves configuration ${sum%% *}"
        else
            if [ "$now_sum" != "$refused" ]; then
                say "refused a configuration: $said"
                refused_wait=30
            elif [ -n "$unsure" ] && [ "$refused_wait" -lt 120 ]; then
                refused_wait=$((refused_wait * 2))
            fi
            refused=$now_sum refused_at=$up failed=yes
        fi
        words=$said reported=''
    elif [ "$now_sum" = "$sum" ] && [ -n "$refused" ] && [ $((ticks % 4)) -eq 0 ]; then
        refused='' words=''
    fi
    now_issued=$issued
    if [ -n "$sum" ] && [ -z "$failed" ] && [ -d "$certs" ] && [ $((ticks % 4)) -eq 0 ]; then
        now_issued=$(issued_sum)
        [ "$now_issued" != "$issued" ] || unissued=''
    fi
    if [ "$now_issued" != "$issued" ] && { [ "$now_issued" != "$unissued" ] || [ $((up - unissued_at)) -ge "$unissued_wait" ]; }; then
        if issue "$certs" && generate "$run/current" "$run/current/tls" "$run/issued.new" && adopt && keep; then
            issued=$now_issued unissued='' changed='' behind='' reported=''
            refused_at=$((up - refused_wait)) # a configuration may have waited for them
            say "serves the certificates ${issued%% *}"
        else
            if [ "$now_issued" != "$unissued" ]; then
                say "refused certificates, and goes on with those before: $said"
                unissued_wait=30
            elif [ -n "$unsure" ] && [ "$unissued_wait" -lt 120 ]; then
                unissued_wait=$((unissued_wait * 2))
            fi
            unissued=$now_issued unissued_at=$up failed=yes
        fi
    fi
    # One try that fails is enough for a turn: replicas wait for our reports.
    [ -z "$failed" ] || behind=$changed
    if [ -n "$changed" ] && [ -n "$sum" ] && [ -z "$failed" ] && { [ -z "$behind" ] || [ $((ticks % 4)) -eq 0 ]; }; then
        if generate "$run/current" "$run/current/tls" "$run/issued" && adopt; then
            behind=''
        else
            # nginx goes on with the replicas of before, and so do our reports.
            [ -n "$behind" ] || say "$doing: $said"
            behind=yes
        fi
    fi
    [ -n "$behind$unsure" ] || promote
    # A sign of life every other second; each second while a replica that left waits for its last requests.
    read -r up _ </proc/uptime
    up=${up%.*}
    if { [ -n "$changed" ] && [ -z "$behind" ]; } || [ -z "$reported" ] || [ $((up - reported_at)) -ge 2 ] ||
        { [ -n "$waited_for" ] && [ $((ticks % 4)) -eq 0 ]; }; then
        report
        reported=yes reported_at=$up
    fi
}

stop() {
    trap '' TERM INT QUIT
    kill -QUIT "$nginx" 2>/dev/null
    wait "$nginx"
    exit 0
}

# An nginx before 1.27.4 does without: a reload closes idle connections of clients, perhaps just when a request comes.
lacks=keepalive_min_timeout
echo "events {} http { $lacks 1s; }" >"$run/try.conf"
nginx -t -q -c "$run/try.conf" -g "pid $run/try.pid; error_log stderr;" 2>/dev/null && lacks=''
look_up
while [ "$believed" != "$looked" ]; do
    sleep 0.05
    believe
done
first() { # FOLDER: start with the certificates there; without where they cannot be read, and try again later
    issued=$(issued_sum)
    issue "$1" && keep && return
    say "cannot read the certificates of $1: $said"
    issued=''
}
first "$certs"
follow
if [ -z "$sum" ] && [ -d "$certs/previous" ]; then
    say "tries the certificates of before"
    unissued=$(issued_sum) unissued_at=$up refused='' seen=''
    first "$certs/previous"
    issued=''
    follow
fi
if [ -z "$sum" ]; then
    say "nginx cannot start with this configuration"
    exit 1
fi
trap stop TERM INT QUIT
nginx -c "$run/current/nginx.conf" -g 'daemon off;' &
nginx=$!
while kill -0 "$nginx" 2>/dev/null; do
    sleep "$tick" &
    wait $!
    ticks=$((ticks + 1))
    believe
    if [ $((ticks % 4)) -eq 0 ]; then
        # An answer that never came: the disk was full, or who asked was ended. A late one is nobody's any more.
        [ "$believed" = "$looked" ] || [ $((up - looked_at)) -lt 30 ] || believed=$looked other=addresses.$looked
        [ "$believed" != "$looked" ] || look_up
    fi
    follow
done
wait "$nginx"
code=$?
say "nginx ended with status $code"
exit 1
