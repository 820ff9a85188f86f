#!/bin/sh
# Uses a whole processor for as long as its box lives.
while :; do :; done
