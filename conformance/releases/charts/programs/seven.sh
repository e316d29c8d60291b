#!/bin/sh
exec sed "s/replicas: .*/replicas: 7/"
