#!/bin/sh
# Leaves the AWS SDK for JavaScript, as locked, beside the scenario that uses it. Safe to repeat. Needs npm.
set -eu

cd "$(dirname "$0")/../integration/javascript"
npm ci --no-audit --no-fund --loglevel=error >/dev/null
echo "$PWD/node_modules"
