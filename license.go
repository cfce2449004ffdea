package elicense

import "time"

// License is the row of a license as it stands now: what events made of it. It
// holds no contents; those are in its versions, encrypted.
type License struct {
	ID          LicenseID
	Owner       HolderKey // the first holder: the spreading key of everything that hangs on the license
	Holders     []HolderKey
	Type        TypeCode
	TypeName    string
	TypeVersion int
	Issuer      UnitCode
	Standing    Standing
	Seq         int        // number of the last event, from 1; grows by one with each
	Identifier  Identifier // of the current version; empty for references
	ValidFrom   Date
	ValidTo     Date
	Published   time.Time // when the first version was published
	Changed     time.Time // when the last event was learned
	Reference   bool      // made by the nation: known here by reference, without a file (Art. 7(1) last sentence)
	Source      string    // for references: the system it was returned by
	Contact     time.Time // when the source last confirmed it; for our own licenses the moment of reading
}

// StatusAt computes the license's status at the moment now.
func (l *License) StatusAt(now time.Time) Status {
	return l.Standing.StatusAt(l.ValidFrom, l.ValidTo, now)
}

// Version is one version of a license: the contents fixed when it was made.
type Version struct {
	License    LicenseID
	Owner      HolderKey
	Number     int // from 1
	Identifier Identifier
	Code       CheckCode
	Holders    []HolderRef
	Fields     map[string]string // by field key; lists are joined by line ends
	ValidFrom  Date
	ValidTo    Date
	IssuedOn   Date   // the issue date of the face
	Serial     string // the serial of the identifier: the same for all versions
	FaceNumber string // 证照编号, the number printed on the face
	File       string // name of the sealed file in the file store; empty for references
	Digest     []byte // SM3 of the sealed file
	TypeName   string
	Made       Making
}

// Making is how a version came to be: the times and persons of Art. 7 and 9.
type Making struct {
	Mode      string // online, offline, bulk, national
	Case      string // number of the completed case at the issuing unit
	Closed    time.Time
	Generated time.Time
	Reviewed  time.Time
	Published time.Time
	Drafter   PersonID
	Reviewer  PersonID
}

// Event is one act on a license (Art. 10). Events are facts: they are added,
// never changed.
type Event struct {
	ID        EventID
	License   LicenseID
	Owner     HolderKey
	Seq       int // from 1 within the license
	Kind      EventKind
	Form      int       // version number of the event's form, now 1
	Effective time.Time // when it took effect in law
	Learned   time.Time // when the platform learned it
	DocNo     string    // number of the decision
	Reason    string
	Unit      UnitCode
	Actor     PersonID
	Reviewer  PersonID
	// New is the version a publish, change or renewal brings.
	New *Version
	// First is what a publish says of the license itself.
	First *License
}
