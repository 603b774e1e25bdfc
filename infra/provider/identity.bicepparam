using 'identity.bicep'

// What a customer's administrator reads when asked for consent.
param applicationDisplayName = 'Causeway'
