package elicense

import (
	"errors"
	"fmt"
)

// Kind says what sort of refusal an error is. The set is closed: a kind exists
// because some caller acts on it, and none is reordered or reused.
type Kind uint8

// The kinds of error. An error without a kind is internal: its text is for the
// log alone.
const (
	Internal     Kind = iota // our fault; the user is told that and the request number
	Invalid                  // the input is wrong: Field says where
	NotFound                 // no such thing, or not for this caller to know of
	Conflict                 // the thing has changed, exists already, or is in another state
	Forbidden                // a rule refuses: Clause says which
	Unauthorized             // who is acting is not known
	NotInForce               // the license exists and can not be used
	Expired                  // a ticket, session or link has run out
	TooLarge                 // more than the limit: bytes, rows, parties
	TooMany                  // too often: wait and try again
	Unavailable              // can not be known or done now; never to be read as "fine"
)

var kindNames = [...]string{
	"internal", "invalid", "not-found", "conflict", "forbidden",
	"unauthorized", "not-in-force", "expired", "too-large", "too-many", "unavailable",
}

// String returns the kind's name on the wire.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// Error is a refusal a person can act on. Text and Next are Chinese sentences
// of the text catalog with fmt verbs for Args; they never hold what the user
// typed, what a rule must not betray, or internals. The cause is for the log.
type Error struct {
	Kind   Kind
	Text   string // one sentence: what can not be done and why
	Args   []any  // the arguments of Text
	Next   string // one sentence: what to do next; may be empty
	Field  string // the field that is wrong, by its key; may be empty
	Row    int    // the row of a lot that is wrong, from 1; 0 if none
	Clause string // the article or rule that refused, such as 第十三条第二款
	Record string // the number of the record of this refusal; may be empty
	Cause  error
}

// E makes an Error of a kind with its sentence.
func E(kind Kind, text string, args ...any) *Error {
	return &Error{Kind: kind, Text: text, Args: args}
}

// Message returns the Chinese sentence for the user.
func (e *Error) Message() string {
	if len(e.Args) == 0 {
		return e.Text
	}
	return fmt.Sprintf(e.Text, e.Args...)
}

// Error returns the text for the log: message, field and cause.
func (e *Error) Error() string {
	s := e.Kind.String() + ": " + e.Message()
	if e.Field != "" {
		s += " [" + e.Field + "]"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// At names the field that is wrong.
func (e *Error) At(field string) *Error { e.Field = field; return e }

// Under names the article or rule that refused.
func (e *Error) Under(clause string) *Error { e.Clause = clause; return e }

// Then says what to do next.
func (e *Error) Then(next string) *Error { e.Next = next; return e }

// Because wraps the cause, for the log.
func (e *Error) Because(cause error) *Error { e.Cause = cause; return e }

// KindOf returns the kind of the first Error in err's chain, Internal if there
// is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// IsKind tells whether err is an Error of the kind.
func IsKind(err error, kind Kind) bool {
	return err != nil && KindOf(err) == kind
}
