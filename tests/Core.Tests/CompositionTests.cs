using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Tests.Fakes;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Core.Tests;

public sealed class CompositionTests
{
    [Theory]
    [InlineData("alpha")]
    [InlineData("ALPHA")]
    [InlineData("Alpha")]
    public void A_backend_is_found_by_name_without_case(string name)
    {
        var catalog = new BackendCatalog([new FakeBackend("Beta"), new FakeBackend("Alpha")]);

        Assert.True(catalog.TryFind(name, out IBackend? backend, out string problem));
        Assert.Equal("Alpha", backend.Name);
        Assert.Equal("", problem);
    }

    [Theory]
    [InlineData("gamma")]
    [InlineData("")]
    [InlineData(null)]
    public void A_wrong_name_gets_one_line_that_lists_the_known_ones(string? name)
    {
        var catalog = new BackendCatalog([new FakeBackend("Beta"), new FakeBackend("Alpha")]);

        Assert.False(catalog.TryFind(name, out IBackend? backend, out string problem));
        Assert.Null(backend);
        Assert.Equal($"unknown backend '{name}'; known: Alpha, Beta", problem);
    }

    [Fact]
    public void No_backends_is_said_so()
    {
        Assert.False(new BackendCatalog([]).TryFind("x", out _, out string problem));
        Assert.Equal("unknown backend 'x'; known: none", problem);
    }

    [Fact]
    public void Two_backends_of_one_name_are_refused() =>
        Assert.Throws<ArgumentException>(() => new BackendCatalog([new FakeBackend("A"), new FakeBackend("a")]));

    [Fact]
    public void The_core_composes_alone_and_twice_is_once()
    {
        using ServiceProvider services = new ServiceCollection().AddHvCore().AddHvCore().BuildServiceProvider(validateScopes: true);
        using GuestMemory memory = GuestMemory.OfSize(0x1000);

        VirtualMachineFactory factory = services.GetRequiredService<VirtualMachineFactory>();
        using VirtualMachine machine = factory.Create(new FakeBackend(), memory, new VirtualMachineOptions());

        Assert.Equal(5, services.GetServices<IHypercallHandler>().Count());
        Assert.IsType<NullConsole>(services.GetRequiredService<IConsole>());
        Assert.Empty(services.GetRequiredService<BackendCatalog>().All);
    }

    [Fact]
    public void A_hosts_own_handlers_and_console_count()
    {
        var console = new BufferConsole();
        using ServiceProvider services = new ServiceCollection()
            .AddHvCore()
            .AddSingleton<IConsole>(console)
            .AddSingleton<IHypercallHandler, FortyTwo>()
            .AddSingleton<IBackend>(new FakeBackend())
            .BuildServiceProvider();
        Assert.True(services.GetRequiredService<BackendCatalog>().TryFind("fake", out IBackend? backend, out _));
        using GuestMemory memory = GuestMemory.OfSize(0x1000);
        using VirtualMachine machine = services.GetRequiredService<VirtualMachineFactory>().Create(backend, memory, new VirtualMachineOptions());
        var fake = (FakeVcpu)machine.Vcpus[0].Processor;
        fake.Registers.Rax = 42;
        fake.Play(Script.Hypercall());

        machine.Run(default, TestContext.Current.CancellationToken);

        Assert.Equal(4242ul, fake.Registers.Rax);
    }

    private sealed class FortyTwo : IHypercallHandler
    {
        public ulong Number => 42;

        public HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments) => HypercallOutcome.Return(4242);
    }
}
