#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The document equals what the program prints; BERTH_UPDATE_GOLDEN=1 writes it instead.
set -euo pipefail
program=$1 document=$2
if [ "${BERTH_UPDATE_GOLDEN:-}" = 1 ]; then
    "$program" > "$document"
    exit 0
fi
diff -u "$document" <("$program") || {
    echo "the catalog and $document differ; run: BERTH_UPDATE_GOLDEN=1 ctest --preset dev -R catalog_equals" >&2
    exit 1
}
