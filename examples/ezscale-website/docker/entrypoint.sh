#!/bin/sh
# Puts what is mounted where the application looks for it, then starts what was asked for.
set -eu
mkdir -p storage/app storage/logs storage/framework/cache storage/framework/sessions storage/framework/views
if [ -d /run/secrets/oauth ]; then
    for key in oauth-private.key oauth-public.key; do
        install -m 0600 "/run/secrets/oauth/$key" "storage/$key"
    done
fi
exec "$@"
