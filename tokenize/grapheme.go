package tokenize

// clusterEnd returns where the grapheme cluster that begins at text[start] ends, by the rules GB3 to GB11 of Unicode's
// annex 29. Pairs of regional indicators are not joined: no cluster of them is under six bytes, which is all that the
// caller asks.
func clusterEnd(text []byte, start int, classes *charTable) int {
	r, w := runeAt(text, start)
	prev := classes.at(r)
	end := start + w
	emoji := prev == gcPictographic // Pictographic Extend*, ready for ZWJ
	joined := false                 // Pictographic Extend* ZWJ
	consonant := prev == gcConsonant
	linked := false // Consonant with a Linker after it
	for end < len(text) {
		r, w = runeAt(text, end)
		cur := classes.at(r)
		if !joins(prev, cur) && !(joined && cur == gcPictographic) && !(linked && cur == gcConsonant) {
			break
		}
		extend := cur == gcExtend || cur == gcInExtend || cur == gcLinker
		joined = emoji && cur == gcZWJ
		emoji = cur == gcPictographic || emoji && extend
		linked = cur == gcLinker && consonant || linked && (extend && cur != gcExtend || cur == gcZWJ)
		consonant = cur == gcConsonant || consonant && (cur == gcLinker || cur == gcInExtend || cur == gcZWJ)
		prev = cur
		end += w
	}
	return end
}

// joins reports whether two classes never have a boundary between them.
func joins(prev, cur uint8) bool {
	switch prev {
	case gcCR:
		return cur == gcLF
	case gcLF, gcControl:
		return false
	}
	switch cur {
	case gcCR, gcLF, gcControl:
		return false
	case gcExtend, gcInExtend, gcLinker, gcZWJ, gcSpacingMark:
		return true
	}
	switch prev {
	case gcPrepend:
		return true
	case gcL:
		return cur == gcL || cur == gcV || cur == gcLV || cur == gcLVT
	case gcLV, gcV:
		return cur == gcV || cur == gcT
	case gcLVT, gcT:
		return cur == gcT
	}
	return false
}
