// German for what the sync writes down in English, and the names both systems use.

export const KINDS = ['', 'TelGesch', 'FaxGesch', 'Mobil', 'MailGesch', 'Internet', 'TelPrivat', 'FaxPrivat',
  'MailPrivat', 'AutoTelefon', 'Sonstige', 'EPost', 'Bea'];
export const PHONE_TYPES = ['Office', 'Mobile', 'Home', 'Fax', 'Other'];
export const SYSTEMS = {advoware: 'Advoware', espocrm: 'EspoCRM'};

export const STATES = {
  equal: 'gleich', different: 'verschieden', advoware: 'nur in Advoware', espocrm: 'nur in EspoCRM',
};

export const LINKS = {
  equal: 'auf beiden Seiten gleich',
  to_espocrm: 'noch nicht in EspoCRM',
  to_advoware: 'noch nicht in Advoware',
  twin: 'steht rechts schon',
  none: 'wird nicht abgeglichen',
};

export const MARKERS = {
  linked: 'verknüpft', slot: 'freier Platz', short: 'verknüpft (kurze Marke)',
};

export const OPERATIONS = {
  create_entry: 'angelegt', write_entry: 'geschrieben', empty_entry: 'geleert', set_marker: 'Marke gesetzt',
  restore_entry: 'zurückgesetzt', add_item: 'ergänzt', replace_item: 'ersetzt', remove_item: 'gelöscht',
};

const REASONS = {
  'a person decided the conflict': 'Ein Mensch hat den Konflikt entschieden.',
  'no base, no deletion: the value is added where it is missing':
    'Nichts gemerkt, also nichts gelöscht: der Wert wird ergänzt, wo er fehlt.',
  'change of type: the value moves to an entry of the new kind':
    'Typ geändert: der Wert zieht in einen Eintrag der neuen Art um.',
};

// The rows of the decision table, docs/decision-table.md.
const ROWS = {
  2: 'In EspoCRM gelöscht: der Eintrag in Advoware wird geleert.',
  3: 'In EspoCRM geändert: der Wert kommt nach Advoware.',
  4: 'In Advoware geändert: der Wert kommt nach EspoCRM.',
  5: 'Auf beiden Seiten gleich geändert: nur die Marke wird erneuert.',
  6: 'In Advoware geändert, in EspoCRM gelöscht: Ändern geht vor Löschen.',
  7: 'Auf beiden Seiten verschieden geändert: ein Konflikt.',
  8: 'In Advoware geleert: in EspoCRM wird gelöscht.',
  9: 'Auf beiden Seiten weg: der Eintrag wird ein freier Platz.',
  10: 'In Advoware geleert, in EspoCRM geändert: Ändern geht vor Löschen.',
  11: 'In Advoware gelöscht: in EspoCRM wird gelöscht.',
  12: 'Auf beiden Seiten gelöscht: nichts mehr zu tun.',
  13: 'In Advoware gelöscht, in EspoCRM geändert: Ändern geht vor Löschen.',
  14: 'Auf beiden Seiten schon gleich: die beiden werden verknüpft.',
  15: 'Neu in Advoware: der Wert kommt nach EspoCRM.',
  16: 'Neu in EspoCRM: der Wert kommt nach Advoware.',
  17: 'Ein freier Platz bleibt frei.',
  18: 'In einen freien Platz getippt: gilt als neu in Advoware.',
};

export function why({row, reason}) {
  const text = REASONS[reason] ?? ROWS[row] ?? 'Von Hand zurückgenommen.';
  return row ? `Zeile ${row}: ${text}` : text;
}

export const RECORD_STATES = {
  equal: ['gut', 'Der Abgleich hat den Datensatz zuletzt gleich gefunden.'],
  pending: ['warn', 'Es ist noch etwas zu tun.'],
  failed: ['bad', 'Der letzte Versuch ist gescheitert; er wird wiederholt.'],
  parked: ['bad', 'Zurückgestellt: ein Mensch muss nachsehen.'],
};

export const TROUBLES = {
  unreachable: 'Redis antwortet gerade nicht.',
  unreadable: 'Das Journal ist mit einem anderen Schlüssel verschlossen oder von einer neueren Fassung geschrieben.',
};
