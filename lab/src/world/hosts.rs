//! The Functions hosts of a world.

use futures_util::future::try_join_all;

use super::parties::App;
use super::{Hosts, Lab, LabError, Settings};
use crate::functions_host::{FunctionsHost, HostConfig};
use crate::stage::Staged;

impl Lab {
    /// Starts the Functions hosts of all apps that have none yet.
    ///
    /// # Errors
    /// [`LabError::Host`] when one does not start.
    pub async fn start_hosts(&mut self) -> Result<(), LabError> {
        let mut hosts = Vec::new();
        let provider = &self.provider;
        if provider.app.host.is_none() {
            hosts.push((
                None,
                self.host_config("provider", &provider.staged, &provider.settings, &provider.app)?,
            ));
        }
        for (number, customer) in self.customers.iter().enumerate().filter(|(_, it)| it.app.host.is_none()) {
            let name = &customer.tenant.name;
            hosts.push((
                Some(number),
                self.host_config(name, &customer.staged, &customer.settings, &customer.app)?,
            ));
        }
        let (whose, configs): (Vec<_>, Vec<_>) = hosts.into_iter().unzip();
        let started = try_join_all(configs.into_iter().map(FunctionsHost::start)).await?;
        for (whose, host) in whose.into_iter().zip(started) {
            self.app_mut(whose).host = Some(host);
        }
        Ok(())
    }

    /// Gives each app the settings that it was deployed with last, and restarts the hosts of those whose settings have
    /// changed, as the platform does.
    ///
    /// # Errors
    /// [`LabError::Host`] when one does not start again.
    pub async fn apply_settings(&mut self) -> Result<(), LabError> {
        if self.config.hosts == Hosts::CoreTools {
            return Ok(());
        }
        let mut changed = false;
        for whose in std::iter::once(None).chain((0..self.customers.len()).map(Some)) {
            let app = self.app_mut(whose);
            let (id, deployed) = (app.site_id.clone(), std::mem::take(&mut app.deployed));
            let fresh = self.manager.site(&id).map(|site| self.environment(site)).unwrap_or_default();
            let is_other = fresh != deployed;
            self.app_mut(whose).deployed.clone_from(&fresh);
            if !is_other {
                continue;
            }
            match whose.and_then(|number| self.customers.get_mut(number)) {
                Some(customer) => customer.settings = fresh,
                None => self.provider.settings = fresh,
            }
            if let Some(host) = self.app_mut(whose).host.take() {
                changed = true;
                host.stop().await;
            }
        }
        if changed { self.start_hosts().await } else { Ok(()) }
    }

    /// The app of a customer by number, or the provider's.
    fn app_mut(&mut self, customer: Option<usize>) -> &mut App {
        match customer.and_then(|number| self.customers.get_mut(number)) {
            Some(customer) => &mut customer.app,
            None => &mut self.provider.app,
        }
    }

    /// How an app is hosted: with its settings, and with the identities that it has by now.
    fn host_config(
        &self,
        name: &str,
        staged: &Staged,
        settings: &Settings,
        app: &App,
    ) -> Result<HostConfig, LabError> {
        let site = self.manager.site(&app.site_id);
        if let Some(site) = site {
            self.manager.check_host_storage(site)?;
        }
        let identities = site.into_iter().flat_map(|site| &site.identities);
        let identity = self.managed_identity.attach(name, identities.map(|identity| identity.principal_id));
        let mut settings = settings.clone();
        for (name, value) in identity.environment() {
            // Settings that are there already lead to an endpoint of the test's own.
            settings.entry(name.to_owned()).or_insert(value);
        }
        let tls = Some(self.ca.client_config()?);
        Ok(HostConfig { tls, ..HostConfig::new(name, &staged.root, settings) })
    }
}
