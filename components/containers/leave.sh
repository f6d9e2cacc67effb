# leave DRAIN COMMAND...: runs COMMAND. Told to stop, it leaves the edge first, for at most DRAIN seconds, and only
# then passes the signal on. Started by `sh -c` in any image: POSIX sh alone. The edge's side is edge/watch.sh.
drain=$1
shift
state=/run/handover
read -r me </etc/hostname
mine() { while read -r address name _; do [ "$name" = "$me" ] && echo "$address"; done </etc/hosts; }
# A container that was here before us may have left with the same address.
for address in $(mine); do rm -f "$state/leaving.$address"; done

"$@" &
child=$!
stopping=

now() { read -r up _ </proc/uptime && echo "${up%.*}${up#*.}"; } # hundredths of a second since the host's start

used() { # whether an edge is alive that may still send a request to one of our addresses
    beat=0 serving='' busy=''
    [ -r "$state/status" ] || return 1
    while read -r key value; do
        case $key in beat) beat=$value ;; serving) serving=$value ;; busy) busy=$value ;; esac
    done <"$state/status"
    # On a busy host an edge says nothing for seconds while nginx takes a new configuration.
    [ $(($(date +%s) - beat)) -le 15 ] || return 1
    for address in $(mine); do
        case " $serving $busy " in *" $address "*) return 0 ;; esac
    done
    return 1
}

tell() { # the edge believes it for some seconds only, so that what a replica left behind heals by itself
    for address in $(mine); do
        date +%s >"$state/new.$address" && mv -f "$state/new.$address" "$state/leaving.$address"
    done
}

leave() {
    [ -z "$stopping" ] || return
    stopping=yes
    tell
    while sleep 2; do tell; done &
    telling=$!
    # By the clock: on a busy host a turn takes longer than it sleeps, and Docker kills whoever takes too long.
    last=$(($(now) + drain * 100))
    while [ "$(now)" -lt "$last" ] && used && kill -0 "$child" 2>/dev/null; do sleep 0.2; done
    kill -s "$1" "$child" 2>/dev/null
}
trap 'leave TERM' TERM
trap 'leave INT' INT
trap 'leave QUIT' QUIT

while :; do
    before=$stopping
    wait "$child"
    code=$?
    # A signal ends `wait` early; the second one tells how the command ended.
    [ "$stopping" = "$before" ] && break
done
[ -z "$stopping" ] || kill "$telling" 2>/dev/null
exit "$code"
