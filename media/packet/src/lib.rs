//! Media packet layout, redundancy, feedback block and control lane.
