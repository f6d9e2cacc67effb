# Runs nginx and keeps it in step with the files beside it and with the containers that they name. POSIX sh, for
# Debian and Alpine. A change is tried by `nginx -t` first; one that fails is reported and the old one goes on.
#
#   /etc/edge/config, /run/secrets       the configuration and the certificates
#   /etc/edge/upstreams/NAME/SLOT         "CONTAINER ALIAS PORT": a replica (components/containers/handover.py)
#   /run/handover/NAME/leaving.ADDRESS    a replica that wants no more requests (components/containers/leave.sh)
#   /run/handover/NAME/status             what the edge serves, for replicas and for steps of an update
#   /run/edge-state/status                which configuration it serves, or refused and why
#   /tmp/edge/current                     the generation that nginx reads
set -u
etc=/etc/edge run=/tmp/edge hand=/run/handover state=/run/edge-state
tick=0.25 ticks=0 generation=0 nginx='' old='' sum='' refused='' reported=''
export RES_OPTIONS='timeout:1 attempts:1'
umask 022
mkdir -p "$run"
rm -rf "$run"/generation-* "$run/current" "$run/asking"
: >"$run/addresses"
upstreams=''
for folder in "$etc"/upstreams/*/; do
    [ -d "$folder" ] || continue
    folder=${folder%/}
    upstreams="$upstreams ${folder##*/}"
done

say() { echo "edge: $*" >&2; }
sum_of() { cat "$etc"/config/* /run/secrets/* 2>/dev/null | sha256sum; }

look_up() { # the addresses of all names, in the background: a name that is gone may take a second
    mkdir "$run/asking" 2>/dev/null || return
    names=''
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
        fi >"$run/addresses.new"
        mv "$run/addresses.new" "$run/addresses"
        rmdir "$run/asking"
    ) &
}

wants() { # ADDRESS: whether it asked to be left out, within the last 15 s (leave.sh repeats it every two)
    # All replicas may write here: what is no time is no mark.
    mark=$hand/$upstream/leaving.$1
    [ -f "$mark" ] && read -r told _ <"$mark" || return 1
    asked=$(date +%s)
    [ "$told" -le "$asked" ] && [ "$told" -gt $((asked - 15)) ]
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
    done <"$run/addresses"
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

generate() { # FOLDER CERTIFICATES: a generation from what lies there and the planned upstreams
    rm -rf "$run/next"
    mkdir -p "$run/next/upstreams" "$run/next/tls"
    cp "$1"/config/nginx.conf "$run/next/nginx.conf" 2>/dev/null || cp "$1"/nginx.conf "$run/next/nginx.conf"
    cp "$2"/* "$run/next/tls/" 2>/dev/null
    chmod 700 "$run/next/tls"
    [ -z "$lacks" ] || sed -i "/^ *$lacks /d" "$run/next/nginx.conf"
    number=0
    for upstream in $upstreams; do
        number=$((number + 1))
        eval "printf '%s' \"\$planned_$number\"" >"$run/next/upstreams/$upstream.conf"
    done
    nginx -t -q -c "$run/next/nginx.conf" 2>"$run/words"
}

workers() { # the processes whose parent is nginx's master
    for stat in /proc/[0-9]*/stat; do
        { read -r pid _ _ parent _ <"$stat"; } 2>/dev/null || continue
        [ "$parent" = "$nginx" ] && printf '%s ' "$pid"
    done
}

leaves() { grep -q 'shutting down' "/proc/$1/cmdline" 2>/dev/null || [ ! -e "/proc/$1/stat" ]; }

adopt() { # make the next generation the current one, and wait until no process takes requests for the old one
    generation=$((generation + 1))
    mv "$run/next" "$run/generation-$generation"
    ln -sfn "generation-$generation" "$run/link" && mv -T "$run/link" "$run/current" 2>/dev/null ||
        ln -sfn "generation-$generation" "$run/current"
    rm -rf "$run/generation-$((generation - 2))"
    [ -n "$nginx" ] || return 0
    before=$(workers)
    kill -HUP "$nginx"
    waited=0
    while [ "$waited" -lt 100 ]; do
        left='' fresh=''
        for pid in $before; do leaves "$pid" || left=yes; done
        for pid in $(workers); do case " $before " in *" $pid "*) ;; *) fresh=yes ;; esac done
        [ -z "$left" ] && [ -n "$fresh" ] && break
        waited=$((waited + 1))
        sleep 0.05
    done
    [ "$waited" -lt 100 ] || say "nginx did not take the new configuration within 5 s; its words are above"
    old="$old $before"
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
    number=0
    read -r now _ <<EOT
$(date +%s)
EOT
    for upstream in $upstreams; do
        number=$((number + 1))
        eval "serving=\$serving_$number names=\$names_$number port=\$port_$number"
        busy
        printf 'beat %s\nnames %s\nserving %s\nbusy %s\n' "$now" "$names" "$serving" "$busy" \
            >"$hand/$upstream/status.new" && mv -f "$hand/$upstream/status.new" "$hand/$upstream/status"
    done
    { printf 'beat %s\nserved %s\nrefused %s\n' "$now" "${sum%% *}" "${refused%% *}" && cat "$run/words"; } \
        >"$state/status.new" && mv -f "$state/status.new" "$state/status"
}

follow() { # compare what is with what should be; adopt what nginx accepts
    changed='' number=0
    for upstream in $upstreams; do
        number=$((number + 1))
        plan
        eval "was=\${planned_$number:-} had=\${serving_$number:-} stayed=\${stays_$number:-}"
        [ -z "$stays" ] || [ -n "$stayed" ] || say "all replicas of $upstream want to leave; none is left out:$serving"
        if [ "$text" != "$was" ]; then
            changed=yes
            for address in $had; do
                case " $serving " in *" $address "*) ;; *) eval "retired_$number=\"\${retired_$number:-} $address:0\"" ;; esac
            done
        fi
        eval "planned_$number=\$text stays_$number=\$stays serving_next_$number=\$serving names_next_$number=\$names port_$number=\$port"
    done
    now_sum=$sum
    [ $((ticks % 4)) -ne 0 ] || now_sum=$(sum_of)
    if [ "$now_sum" != "$sum" ] && [ "$now_sum" != "$refused" ]; then
        if generate "$etc" /run/secrets; then
            adopt
            sum=$now_sum refused='' changed=''
            say "serves configuration ${sum%% *}"
        else
            refused=$now_sum
            say "refused a configuration: $(cat "$run/words")"
        fi
        reported=''
    elif [ "$now_sum" = "$sum" ] && [ -n "$refused" ] && [ $((ticks % 4)) -eq 0 ]; then
        refused=''
    fi
    if [ -n "$changed" ] && [ -n "$sum" ]; then
        cp "$run/words" "$run/kept"
        if generate "$run/current" "$run/current/tls"; then adopt; else say "refused upstreams: $(cat "$run/words")"; fi
        mv "$run/kept" "$run/words"
    fi
    number=0
    for upstream in $upstreams; do
        number=$((number + 1))
        eval "serving_$number=\$serving_next_$number names_$number=\$names_next_$number"
    done
    if [ -n "$changed" ] || [ $((ticks % 4)) -eq 0 ] || [ -z "$reported" ]; then
        report
        reported=yes
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
: >"$run/words"
look_up
while [ -d "$run/asking" ]; do sleep 0.05; done
follow
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
    [ $((ticks % 4)) -ne 0 ] || look_up
    follow
done
wait "$nginx"
code=$?
say "nginx ended with status $code"
exit 1
