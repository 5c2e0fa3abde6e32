//! Known-answer vectors and the Python second implementation.
