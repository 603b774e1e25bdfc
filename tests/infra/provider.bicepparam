using '../../infra/provider/main.bicep'

// The lab gives an application the client id guid(tenant, unique name).
param clientId = guid('10000000-0000-4000-8000-000000000001', 'causeway')
param statusPollSchedule = '*/2 * * * * *'
param statusPollWindow = '00:00:02'
param tags = {
  environment: 'lab'
}
param alertEmailAddresses = ['operations@provider.example']
