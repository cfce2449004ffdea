package elicense

import (
	"strings"
	"time"
)

// State is where a license stands in its life. Drafts live in issuance; a
// license exists from its publishing on.
type State string

// The states of a license. The last three end it.
const (
	Published State = "published" // 已发布
	Revoked   State = "revoked"   // 已吊销
	Cancelled State = "cancelled" // 已注销
	Abolished State = "abolished" // 已废止
)

// Ended tells whether the license can't be used any more.
func (s State) Ended() bool { return s != Published }

// Chinese returns the word shown to people.
func (s State) Chinese() string {
	switch s {
	case Published:
		return "已发布"
	case Revoked:
		return "已吊销"
	case Cancelled:
		return "已注销"
	case Abolished:
		return "已废止"
	}
	return "状态不明"
}

// Overlays are conditions that lie over a published license and can be lifted.
type Overlays uint8

// The overlays. Only Suspended stops use; Pledged, SealedUp and Disputed are
// shown beside the status. A court's sealing-up stops disposal (change, pledge),
// not proof of the right.
const (
	Suspended Overlays = 1 << iota // 挂起
	Pledged                        // 质押，不动产称抵押，股权称出质
	SealedUp                       // 查封
	Disputed                       // 有异议

	// Withdrawn (撤下) is never lifted: the license held a secret, which Art. 2 leaves
	// out of the Measures, and nothing of it is shown any more. It does not say whether
	// the license is in force: on paper it may be.
	Withdrawn
)

// Has tells whether all overlays of x are set.
func (o Overlays) Has(x Overlays) bool { return o&x == x }

// EventKind is one of the acts that change a license.
type EventKind string

// The events. The first is the birth of a license; 变更 and 延续 make a new
// version; 吊销, 注销 and 废止 end it; the others set or lift an overlay.
// Art. 10 names seven of them: 变更, 延续, 吊销, 注销, 废止, 挂起, 质押.
const (
	EventPublish EventKind = "publish" // 生成并发布 (Art. 7)
	EventChange  EventKind = "change"  // 变更
	EventRenew   EventKind = "renew"   // 延续
	EventRevoke  EventKind = "revoke"  // 吊销
	EventCancel  EventKind = "cancel"  // 注销
	EventAbolish EventKind = "abolish" // 废止
	EventSuspend EventKind = "suspend" // 挂起
	EventResume  EventKind = "resume"  // 解除挂起
	EventPledge  EventKind = "pledge"  // 质押
	EventRelease EventKind = "release" // 解除质押
	EventSealUp  EventKind = "seal-up" // 查封
	EventUnseal  EventKind = "unseal"  // 解除查封
	EventDispute EventKind = "dispute" // 提出异议 (Art. 16)
	EventSettle  EventKind = "settle"  // 异议办结
	EventRestore EventKind = "restore" // 吊销被撤销，恢复

	// EventWithdraw (撤下) is none of the acts of Art. 10: sharing ends, and the license
	// is as it was.
	EventWithdraw EventKind = "withdraw"
)

var eventWords = map[EventKind]string{
	EventPublish: "生成发布", EventChange: "变更", EventRenew: "延续", EventRevoke: "吊销",
	EventCancel: "注销", EventAbolish: "废止", EventSuspend: "挂起", EventResume: "解除挂起",
	EventPledge: "质押", EventRelease: "解除质押", EventSealUp: "查封", EventUnseal: "解除查封",
	EventDispute: "提出异议", EventSettle: "异议办结", EventRestore: "恢复", EventWithdraw: "撤下",
}

// Chinese returns the word shown to people, "" for an unknown kind.
func (k EventKind) Chinese() string { return eventWords[k] }

// Known tells whether k is an event kind.
func (k EventKind) Known() bool { _, ok := eventWords[k]; return ok }

// MakesVersion tells whether the event brings a new version of the license.
func (k EventKind) MakesVersion() bool {
	return k == EventPublish || k == EventChange || k == EventRenew
}

// Standing is the part of a license's condition that events decide.
type Standing struct {
	State    State    `json:"state"`
	Overlays Overlays `json:"overlays"`
	Version  int      `json:"version"` // the current version, from 1; 0 before publishing
}

// After is the state table (Art. 10): the standing that follows when the event
// happens to a license of standing s. A refused event is an Error of kind
// Conflict whose sentence says why, and leaves the standing as it is.
func (s Standing) After(k EventKind) (Standing, error) {
	if k == EventPublish {
		if s != (Standing{}) {
			return s, refuseEvent("这个证照已经发布过，不能再次发布")
		}
		return Standing{State: Published, Version: 1}, nil
	}
	if s.Version == 0 {
		return s, refuseEvent("这个证照还没有发布，不能%s", k.Chinese())
	}
	if !k.Known() {
		return s, E(Invalid, "没有这种状态变更").At("kind")
	}
	if s.Overlays.Has(Withdrawn) {
		return s, E(Conflict, "这个证照已经撤下，不能%s", k.Chinese()).Under("第二条").Then("需要电子证照的，请重新生成一份不含涉密内容的")
	}
	if k == EventWithdraw {
		return s.set(Withdrawn, "")
	}
	if s.State.Ended() {
		return s.afterEnd(k)
	}
	switch k {
	case EventChange, EventRenew:
		if s.Overlays.Has(SealedUp) {
			return s, refuseEvent("证照在查封期间不能%s", k.Chinese())
		}
		if s.Overlays.Has(Suspended) && k == EventChange {
			return s, refuseEvent("证照挂起期间不能变更，要先解除挂起")
		}
		s.Version++
	case EventRevoke:
		s.State, s.Overlays = Revoked, s.Overlays&^Suspended
	case EventCancel:
		if s.Overlays.Has(Pledged) {
			return s, refuseEvent("证照在质押期间不能注销，要先解除质押")
		}
		if s.Overlays.Has(SealedUp) {
			return s, refuseEvent("证照在查封期间不能注销，要先解除查封")
		}
		s.State, s.Overlays = Cancelled, 0
	case EventAbolish:
		s.State, s.Overlays = Abolished, 0
	case EventSuspend:
		return s.set(Suspended, "证照已经挂起")
	case EventResume:
		return s.lift(Suspended, "证照没有挂起，不用解除")
	case EventPledge:
		if s.Overlays.Has(SealedUp) {
			return s, refuseEvent("证照在查封期间不能质押")
		}
		return s.set(Pledged, "证照已经质押")
	case EventRelease:
		return s.lift(Pledged, "证照没有质押，不用解除")
	case EventSealUp:
		return s.set(SealedUp, "证照已经查封")
	case EventUnseal:
		return s.lift(SealedUp, "证照没有查封，不用解除")
	case EventDispute:
		return s.set(Disputed, "证照已有异议在办")
	case EventSettle:
		return s.lift(Disputed, "证照没有异议在办")
	case EventRestore:
		return s, refuseEvent("证照没有被吊销，不用恢复")
	}
	return s, nil
}

// afterEnd holds what may still happen to an ended license: a revoked one is
// cancelled in due course, or restored by a court or on review.
func (s Standing) afterEnd(k EventKind) (Standing, error) {
	if s.State == Revoked {
		switch k {
		case EventCancel:
			s.State, s.Overlays = Cancelled, 0
			return s, nil
		case EventRestore:
			s.State = Published
			return s, nil
		}
	}
	return s, refuseEvent("证照%s，不能%s", s.State.Chinese(), k.Chinese())
}

func (s Standing) set(o Overlays, refusal string) (Standing, error) {
	if s.Overlays.Has(o) {
		return s, refuseEvent(refusal)
	}
	s.Overlays |= o
	return s, nil
}

func (s Standing) lift(o Overlays, refusal string) (Standing, error) {
	if !s.Overlays.Has(o) {
		return s, refuseEvent(refusal)
	}
	s.Overlays &^= o
	return s, nil
}

func refuseEvent(text string, args ...any) error {
	return E(Conflict, text, args...).Under("第十条").Then("请核对证照现在的状态和文书，再选择要办的事")
}

// Status is what a license is at a moment, in one word, as people and systems
// are told. It is computed and never stored.
type Status string

// The statuses. Unknown is never to be read as in force.
const (
	StatusValid     Status = "valid"     // 有效
	StatusExpiring  Status = "expiring"  // 即将到期: in force, 90 days or less to the end
	StatusNotYet    Status = "not-yet"   // 未生效
	StatusExpired   Status = "expired"   // 已过期
	StatusSuspended Status = "suspended" // 暂停使用
	StatusRevoked   Status = "revoked"   // 已吊销
	StatusCancelled Status = "cancelled" // 已注销
	StatusAbolished Status = "abolished" // 已废止
	StatusReplaced  Status = "replaced"  // 历史版本
	StatusUnknown   Status = "unknown"   // 无法确认
)

var statusWords = map[Status]string{
	StatusValid: "有效", StatusExpiring: "即将到期", StatusNotYet: "未生效", StatusExpired: "已过期",
	StatusSuspended: "暂停使用", StatusRevoked: "已吊销", StatusCancelled: "已注销",
	StatusAbolished: "已废止", StatusReplaced: "历史版本", StatusUnknown: "无法确认",
}

// Chinese returns the word shown to people.
func (s Status) Chinese() string {
	if w, ok := statusWords[s]; ok {
		return w
	}
	return statusWords[StatusUnknown]
}

// Usable tells whether a license of this status can be used to act.
func (s Status) Usable() bool { return s == StatusValid || s == StatusExpiring }

// expiringDays is how long before its end a license is shown as expiring.
const expiringDays = 90

// StatusAt computes the status of the current version at the moment now. The
// last day of validity counts in full, in Asia/Shanghai; an empty date is no
// bound.
func (s Standing) StatusAt(from, to Date, now time.Time) Status {
	if s.Overlays.Has(Withdrawn) {
		return StatusUnknown
	}
	switch s.State {
	case Revoked:
		return StatusRevoked
	case Cancelled:
		return StatusCancelled
	case Abolished:
		return StatusAbolished
	case Published:
	default:
		return StatusUnknown
	}
	today := DateOf(now)
	switch {
	case s.Overlays.Has(Suspended):
		return StatusSuspended
	case from != "" && today < from:
		return StatusNotYet
	case to != "" && today > to:
		return StatusExpired
	case to != "" && DateOf(now.AddDate(0, 0, expiringDays)) >= to:
		return StatusExpiring
	}
	return StatusValid
}

// Words lists the overlays in the words shown to people.
func (o Overlays) Words() []string {
	var w []string
	for _, x := range []struct {
		o Overlays
		w string
	}{{Suspended, "暂停使用"}, {Pledged, "已质押"}, {SealedUp, "已查封"}, {Disputed, "有异议"}, {Withdrawn, "已撤下"}} {
		if o.Has(x.o) {
			w = append(w, x.w)
		}
	}
	return w
}

// String lists the overlays in English, for logs and the API.
func (o Overlays) String() string {
	var w []string
	for i, name := range []string{"suspended", "pledged", "sealed-up", "disputed", "withdrawn"} {
		if o.Has(1 << i) {
			w = append(w, name)
		}
	}
	return strings.Join(w, ",")
}
