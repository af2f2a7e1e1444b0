/** What is around every page: brand, project, language, account, navigation. */
import {
  Masthead,
  MastheadBrand,
  MastheadContent,
  MastheadMain,
  MastheadToggle,
  Nav,
  NavGroup,
  NavItem,
  Page,
  PageSidebar,
  PageSidebarBody,
  PageToggleButton,
  SkipToContent,
  Toolbar,
  ToolbarContent,
  ToolbarGroup,
  ToolbarItem,
} from '@patternfly/react-core'
import { BarsIcon } from '@patternfly/react-icons'
import { useQuery } from '@tanstack/react-query'
import { Link, Outlet, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { projectsQuery } from '../api/identity.ts'
import { to } from '../paths.ts'
import { useSession } from '../session.ts'
import { AccountMenu } from './account-menu.tsx'
import { Brand } from './brand.tsx'
import { LanguageSwitch } from './language-switch.tsx'
import { TransfersPanel } from '../transfers/transfers-panel.tsx'
import { ProjectSwitch } from './project-switch.tsx'

const MAIN = 'main'

export function Shell() {
  const { t } = useTranslation()
  const user = useSession()?.user
  const { project_id } = useParams({ strict: false })
  if (!user) return null
  const masthead = (
    <Masthead>
      <MastheadMain>
        <MastheadToggle>
          <PageToggleButton variant="plain" aria-label={t('shell.navigation')}>
            <BarsIcon />
          </PageToggleButton>
        </MastheadToggle>
        <MastheadBrand>
          <Link {...to.home()} className="brand">
            <Brand />
          </Link>
        </MastheadBrand>
      </MastheadMain>
      <MastheadContent>
        <Toolbar isStatic>
          <ToolbarContent>
            <ToolbarItem>
              <ProjectSwitch userId={user.id} />
            </ToolbarItem>
            <ToolbarGroup align={{ default: 'alignEnd' }}>
              <ToolbarItem>
                <LanguageSwitch />
              </ToolbarItem>
              <ToolbarItem>
                <AccountMenu />
              </ToolbarItem>
            </ToolbarGroup>
          </ToolbarContent>
        </Toolbar>
      </MastheadContent>
    </Masthead>
  )
  return (
    <Page
      masthead={masthead}
      sidebar={<PageSidebar>{project_id !== undefined && <ProjectNavigation userId={user.id} projectId={project_id} />}</PageSidebar>}
      skipToContent={<SkipToContent href={`#${MAIN}`}>{t('shell.skip')}</SkipToContent>}
      mainContainerId={MAIN}
      mainTabIndex={-1}
      isManagedSidebar
      isContentFilled
    >
      <Outlet />
      <TransfersPanel />
    </Page>
  )
}

function ProjectNavigation({ userId, projectId }: { userId: string; projectId: string }) {
  const { t } = useTranslation()
  const { data: projects } = useQuery(projectsQuery(userId))
  if (!projects?.some(({ id }) => id === projectId)) return null
  return (
    <PageSidebarBody>
      <Nav aria-label={t('shell.navigation')}>
        <NavGroup title={t('shell.compute')}>
          <NavItem>
            <Link {...to.servers(projectId)} activeProps={{ className: 'pf-m-current', 'aria-current': 'page' }}>
              {t('servers.title')}
            </Link>
          </NavItem>
        </NavGroup>
        <NavGroup title={t('shell.storage')}>
          <NavItem>
            <Link {...to.containers(projectId)} activeOptions={{ includeSearch: false }} activeProps={{ className: 'pf-m-current', 'aria-current': 'page' }}>
              {t('containers.title')}
            </Link>
          </NavItem>
          <NavItem>
            <Link {...to.s3(projectId)} activeProps={{ className: 'pf-m-current', 'aria-current': 'page' }}>
              {t('s3.title')}
            </Link>
          </NavItem>
        </NavGroup>
      </Nav>
    </PageSidebarBody>
  )
}
