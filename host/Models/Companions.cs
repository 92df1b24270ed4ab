using ModelZoo.Contracts;

namespace ModelZoo.Host.Models;

/// <summary>The companions of a model, which the pool keeps for it.</summary>
internal sealed class Companions(ModelPool pool, ResidentModel owner) : ICompanions
{
    public Task<IModel> OpenAsync(ModelId architecture, string folder, CancellationToken cancel = default) => pool.AcquireAsync(owner, architecture, folder, cancel);

    /// <summary>What the host offers to plugins, and these.</summary>
    public IServiceProvider Beside(IServiceProvider services) => new Services(services, this);

    private sealed class Services(IServiceProvider services, ICompanions companions) : IServiceProvider
    {
        public object? GetService(Type serviceType) => serviceType == typeof(ICompanions) ? companions : services.GetService(serviceType);
    }
}
