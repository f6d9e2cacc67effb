# served NAME PAUSE: ends when the edge serves the container NAME, PAUSE seconds later; at once where no edge runs.
name=$1 pause=$2 waited=0
while :; do
    beat=0 names=''
    if [ -r /run/handover/status ]; then
        while read -r key value; do
            case $key in beat) beat=$value ;; names) names=$value ;; esac
        done </run/handover/status
    fi
    # On a busy host an edge says nothing for seconds while nginx takes a new configuration.
    if [ $(($(date +%s) - beat)) -gt 15 ]; then
        echo "no edge runs: nothing to wait for"
        exit 0
    fi
    case " $names " in *" $name "*) break ;; esac
    if [ "$waited" -ge 300 ]; then
        echo "the edge did not take up $name within 60 s; it serves: ${names:-nothing}"
        exit 1
    fi
    sleep 0.2
    waited=$((waited + 1))
done
echo "served: $name"
sleep "$pause"
