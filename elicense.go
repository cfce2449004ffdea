// Package elicense holds the words of the electronic license platform: its types,
// identifiers, states, events and errors, as the Fujian Measures of 2017
// (福建省促进电子证照应用管理暂行办法) and the GB/T 36901 series use them.
//
// It imports the standard library only and does no I/O. What the platform decides
// with these words is in the domain packages: access, catalog, cases, issuance,
// lifecycle, sharing, verification, oversight.
//
// A license is 证照; certificate always means an X.509 certificate. Clauses are
// cited in comments as Art. 13(2): article and paragraph of the Measures.
package elicense
