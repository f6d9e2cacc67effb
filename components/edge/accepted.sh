# accepted: ends when the edge serves the configuration and certificates that this container sees as well.
waited=0
want=$(cat /etc/edge/config/* /run/secrets/* 2>/dev/null | sha256sum)
want=${want%% *}
while :; do
    beat=0 served='' refused=''
    if [ -r /run/edge-state/status ]; then
        while read -r key value; do
            case $key in beat) beat=$value ;; served) served=$value ;; refused) refused=$value ;; esac
        done </run/edge-state/status
    fi
    if [ "$served" = "$want" ]; then
        echo "served"
        exit 0
    fi
    # Twice: a file may have been read while it was written.
    if [ "$refused" = "$want" ] && [ "$waited" -ge 10 ]; then
        echo "nginx does not take the configuration; the one before goes on:"
        sed -n '4,$p' /run/edge-state/status
        exit 1
    fi
    if [ "$waited" -ge 300 ]; then
        echo "the edge did not take up its configuration within 60 s; is it running?"
        exit 1
    fi
    sleep 0.2
    waited=$((waited + 1))
done
