#!/bin/sh
cat
printf -- "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: args}\ndata: {args: \"$*\"}\n"
