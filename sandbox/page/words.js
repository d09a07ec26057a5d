// German for what stands on the page, and the names both systems use. What the journal says: services/german.py.

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
  linked: 'verknüpft', slot: 'Leerplatz', short: 'verknüpft (kurzer Marker)',
};

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
