// This file lets sums_amd64.go declare a function without a body.
