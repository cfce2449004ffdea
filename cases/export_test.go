package cases

// ReadTicket takes a ticket apart, for fuzzing.
func ReadTicket(text string) error {
	_, _, _, _, err := readTicket(text)
	return err
}

// FreeNumber makes a number for a case that came with none.
var FreeNumber = freeNumber
