#!/bin/sh
echo "something bad" >&2
exit 3
